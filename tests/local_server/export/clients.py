"""A server that models are added to while it runs, asked over REST and gRPC."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))


class Server:
    """`cloudserve model-server`, by TensorFlow Serving's stubs and its REST API."""

    def __init__(self, url, channel):
        self._url = url
        self._models = model_management_pb2.ReloadConfigRequest()
        self._management = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def add(self, name, base):
        """Add a base path; the call returns when its model is available."""
        one = self._models.config.model_config_list.config.add()
        one.name, one.base_path, one.model_platform = name, str(base), "tensorflow"
        answer = self._management.HandleReloadConfigRequest(self._models, timeout=60)
        assert answer.status.error_code == 0, answer.status.error_message

    def rest(self, name, method, body):
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/v1/models/{name}:{method}", data)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read()) from error

    def by_row(self, name, signature, feeds, aliases):
        """Return outputs by alias: the answer of "instances" has one value or object in a row."""
        columns = zip(*map(plain, feeds.values()), strict=True)
        rows = [dict(zip(feeds, row, strict=True)) for row in columns]
        body = {"signature_name": signature, "instances": rows}
        answers = self.rest(name, "predict", body)["predictions"]
        if len(aliases) == 1:
            return {aliases[0]: answers}
        return {alias: [answer[alias] for answer in answers] for alias in aliases}

    def by_column(self, name, signature, feeds, aliases):
        inputs = {alias: plain(array) for alias, array in feeds.items()}
        body = {"signature_name": signature, "inputs": inputs}
        outputs = self.rest(name, "predict", body)["outputs"]
        return outputs if len(aliases) > 1 else {aliases[0]: outputs}

    def predict(self, name, signature, feeds):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = name, signature
        for alias, array in feeds.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(array))
        outputs = self._predictions.Predict(request, timeout=60).outputs
        return {alias: tf.make_ndarray(outputs[alias]) for alias in outputs}

    def classify(self, name, signature, examples):
        request = classification_pb2.ClassificationRequest()
        fill(request, name, signature, examples)
        result = self._predictions.Classify(request, timeout=60).result
        return [[(c.label, c.score) for c in one.classes] for one in result.classifications]

    def regress(self, name, signature, examples):
        request = regression_pb2.RegressionRequest()
        fill(request, name, signature, examples)
        result = self._predictions.Regress(request, timeout=60).result
        return [one.value for one in result.regressions]


def fill(request, name, signature, examples):
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for one in examples:
        request.input.example_list.examples.add().CopyFrom(example(one))


def example(features):
    """Return an Example of lists: floats, integers or texts."""
    made = tf.train.Example()
    for name, values in features.items():
        kind = {float: "float_list", int: "int64_list", str: "bytes_list"}[type(values[0])]
        stored = [v.encode() if isinstance(v, str) else v for v in values]
        getattr(made.features.feature[name], kind).value.extend(stored)
    return made


def plain(array):
    """Return an array as JSON has it; bytes as base64."""
    if isinstance(array, bytes):
        return {"b64": base64.b64encode(array).decode()}
    return [plain(one) for one in array] if array.ndim and array.dtype == object else array.tolist()


@contextmanager
def running(folder):
    """Run a server without a model."""
    config = folder / "models.config"
    config.write_text("model_config_list {}")
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        rest, port = one.getsockname()[1], other.getsockname()[1]
    flags = [f"--rest_api_port={rest}", f"--port={port}", f"--model_config_file={config}"]
    with subprocess.Popen([CLOUDSERVE, "model-server", *flags]) as process:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(60)
                yield Server(f"http://127.0.0.1:{rest}", channel)
        finally:
            process.send_signal(signal.SIGTERM)


def assert_same(actual, expected):
    """Assert that texts are the same, and numbers but for rounding in another order of sums."""
    expected = np.asarray(expected)
    if expected.dtype.kind in "OSU":
        assert np.asarray(actual).astype(str).tolist() == expected.astype(str).tolist()
        return
    actual = np.asarray(actual, expected.dtype)
    assert actual.shape == expected.shape
    if expected.dtype.kind == "f":
        # Sums of some dozens of products, in another order than the source's.
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(actual, expected)
