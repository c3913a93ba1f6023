"""One server process for every real model, and TensorFlow Serving's clients."""

import gzip
import importlib.util
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections import deque
from pathlib import Path
from threading import Thread

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
ANNOUNCED = re.compile(r"serving (.*) on (http://\S+), gRPC on (\S+)\n")
# Older versions beside the highest, which alone a base path serves.
OLDER = {"tfs_half_plus_two_2v": "123", "sm_half_plus_three": "123", "sts_template_app": "1"}

BASIC_PITCH = "basic-pitch==0.4.0"
BASIC_PITCH_WHEEL = "basic_pitch-0.4.0-*.whl"
BASIC_PITCH_MODEL = "basic_pitch/saved_models/icassp_2022/nmp/"
# The same model in other formats, by the module that runs it and the name that it is served under.
BASIC_PITCH_FILES = {
    ("ai_edge_litert", "basic_pitch_lite"): "basic_pitch/saved_models/icassp_2022/nmp.tflite",
    ("onnxruntime", "basic_pitch_onnx"): "basic_pitch/saved_models/icassp_2022/nmp.onnx",
}


class Clients:
    """REST over urllib, gRPC over TensorFlow Serving's stub."""

    def __init__(self, address, channel, log):
        self.address = address
        self.log = log
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def rest(self, path, body=None):
        """Give the status and the JSON of an answer; with a body, of a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/models/{path}", data)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def predict(self, model, signature="", **inputs):
        """Give the outputs of a gRPC prediction as arrays."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        outputs = self._stub.Predict(request, timeout=60).outputs
        return {alias: tf.make_ndarray(outputs[alias]) for alias in outputs}

    def classify(self, model, signature, examples):
        """Give label and score of every class of every Example."""
        request = classification_pb2.ClassificationRequest()
        self._ask(request, model, signature, examples)
        answer = self._stub.Classify(request, timeout=60).result.classifications
        return [[(one.label, one.score) for one in each.classes] for each in answer]

    def regress(self, model, signature, examples):
        """Give the value of every Example."""
        request = regression_pb2.RegressionRequest()
        self._ask(request, model, signature, examples)
        return [one.value for one in self._stub.Regress(request, timeout=60).result.regressions]

    @staticmethod
    def _ask(request, model, signature, examples):
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for serialized in examples:
            request.input.example_list.examples.add().ParseFromString(serialized)


@pytest.fixture(scope="session")
def basic_pitch(pytestconfig, tmp_path_factory):
    """Give the SavedModel in the wheel of basic-pitch, which is kept in pytest's cache, or None.

    Beside it are the same model for TensorFlow Lite and in ONNX.
    """
    cache = getattr(pytestconfig, "cache", None)  # `make test-later` has none
    kept = cache.mkdir("basic-pitch") if cache else tmp_path_factory.mktemp("basic-pitch-wheel")
    if not any(kept.glob(BASIC_PITCH_WHEEL)):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--retries=0", "--timeout=10"]
        subprocess.run([*command, "--dest", str(kept), BASIC_PITCH], check=False, timeout=60)
    wheel = next(kept.glob(BASIC_PITCH_WHEEL), None)
    if wheel is None:
        return None
    unpacked = tmp_path_factory.mktemp("basic-pitch")
    with zipfile.ZipFile(wheel) as archive:
        prefixes = (BASIC_PITCH_MODEL, *BASIC_PITCH_FILES.values())
        inside = [name for name in archive.namelist() if name.startswith(prefixes)]
        archive.extractall(unpacked, inside)
    return unpacked / BASIC_PITCH_MODEL


@pytest.fixture(scope="module")
def folder(shared_models, basic_pitch, tmp_path_factory):
    """Give a folder of all models: those of the field, their older versions, a Keras 3 one."""
    folder = tmp_path_factory.mktemp("models")
    for entry in shared_models.iterdir():
        if entry.is_dir():
            (folder / entry.name).symlink_to(entry)
    for name, version in OLDER.items():
        (folder / f"{name}_{version}").symlink_to(shared_models / name / version)
    if basic_pitch is not None:
        (folder / "basic_pitch").symlink_to(basic_pitch)
        for (module, model), name in BASIC_PITCH_FILES.items():
            if importlib.util.find_spec(module):
                file = basic_pitch.parent / Path(name).name
                (folder / f"{model}{file.suffix}").symlink_to(file)
    layers = [tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2, kernel_initializer="ones")]
    tf.saved_model.save(tf.keras.Sequential(layers), str(folder / "keras_3" / "1"))
    return folder


@pytest.fixture(scope="module")
def clients(folder):
    """Serve the folder in a process of its own, and talk to it."""
    command = [CLOUDSERVE, "serve", str(folder), "--port", "0", "--grpc-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        log = []
        try:
            match = next(filter(None, map(ANNOUNCED.fullmatch, _kept(process.stderr, log))), None)
            assert match, "".join(log)
            # What comes later is read as well: a full pipe would stop the server.
            Thread(target=deque, args=(_kept(process.stderr, log), 0)).start()
            with grpc.insecure_channel(match[3]) as channel:
                yield Clients(match[2], channel, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def _kept(lines, log):
    for line in lines:
        log.append(line)
        yield line


@pytest.fixture(scope="session")
def taxi_examples(shared_models):
    """Give 424 serialized Examples; a record is length (8), checksum (4), data, checksum (4)."""
    data = gzip.decompress((shared_models / "data/taxi_eval.tfrecord.gz").read_bytes())
    examples, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        examples.append(data[at + 12 : at + 12 + size])
        at += 16 + size
    return examples
