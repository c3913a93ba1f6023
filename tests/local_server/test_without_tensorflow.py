"""A server loads, warms up and answers without TensorFlow's Python, as its process shows."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.codecs.tfrecord import frame
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.warmup import WARMUP_FILE

# The command line, which says at its end what was imported of these.
COMMAND_LINE = """
import json, sys
from cloudserve.cli import main
try:
    main()
finally:
    names = {name.partition(".")[0] for name in sys.modules}
    print(json.dumps(sorted(names & {"tensorflow", "tensorflow_serving", "keras"})), flush=True)
"""
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def request():
    message = message_class("tensorflow.serving.PredictRequest")()
    message.model_spec.name = "m"
    to_tensor_proto(np.array([[4]], np.float32), message.inputs["x"])
    return message


@pytest.fixture
def base(shared_models, tmp_path):
    """Give the base path of a model that is warmed up."""
    version = tmp_path / "m" / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu/123", version)
    log = message_class("tensorflow.serving.PredictionLog")()
    log.predict_log.request.CopyFrom(request())
    (version / WARMUP_FILE).parent.mkdir(parents=True)
    (version / WARMUP_FILE).write_bytes(frame(log.SerializeToString()))
    return version.parent


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def running(*arguments):
    command = [sys.executable, "-c", COMMAND_LINE, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def serve(base):
    return ["serve", base, "--port", free_port(), "--grpc-port", free_port()]


def serve_over_grpcio(base):
    return [*serve(base), "--grpc-transport", "grpcio"]


def model_server(base):
    ports = [f"--rest_api_port={free_port()}", f"--port={free_port()}"]
    return ["model-server", "--model_name=m", f"--model_base_path={base}", *ports]


def wait_for(process, text):
    log = []
    for line in process.stderr:
        log.append(line)
        if text in line:
            return "".join(log)
    raise AssertionError(f"ended without {text!r}: {''.join(log)}")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc to read")
@pytest.mark.parametrize(
    ("command", "ready"),
    [
        (serve, "serving m on"),
        (serve_over_grpcio, "serving m on"),
        (model_server, "Exporting HTTP/REST API"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_server_answers_rest_and_grpc_without_tensorflows_python(base, command, ready):
    arguments = command(base)
    rest, rpc = re.findall(r"\d{4,5}", " ".join(map(str, arguments[2:])).replace(str(base), ""))
    with running(*arguments) as process:
        wait_for(process, ready)
        body = json.dumps({"instances": [[4.0]]}).encode()
        url = f"http://127.0.0.1:{rest}/v1/models/m:predict"
        with urllib.request.urlopen(url, body, timeout=30) as answer:
            assert json.load(answer) == {"predictions": [[4.0]]}
        with grpc.insecure_channel(f"127.0.0.1:{rpc}") as channel:
            answer = channel.unary_unary(PREDICT)(request().SerializeToString(), timeout=30)
        response = message_class("tensorflow.serving.PredictResponse").FromString(answer)
        assert list(response.outputs["y"].float_val) == [4.0]
        libraries = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libtensorflow_cc" in libraries
        assert "_pywrap_tensorflow" not in libraries
        assert ("cygrpc" in libraries) == (command is serve_over_grpcio)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert json.loads(out.splitlines()[-1]) == []
