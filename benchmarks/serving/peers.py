"""Other servers with the same model: Flask under gunicorn, and LitServe, where installed.

`make bench-peers` installs gunicorn and LitServe into the folder BENCH_PEERS, which only the peers
import from. Both answer TensorFlow Serving's row format. BentoML, MLServer, MLflow, Ray Serve,
TorchServe and PyTriton are not measured: each needs an environment of its own, with hundreds of
megabytes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALLED = Path(os.environ.get("BENCH_PEERS", "peers"))
FLASK = """
import json
import numpy as np, tensorflow as tf
from flask import Flask, request
app = Flask(__name__)
predict = tf.saved_model.load({path!r}).signatures["serving_default"]
(alias,) = predict.structured_input_signature[1]
@app.route("/", methods=["GET", "POST"])
def serve():
    if request.method == "GET":
        return "up"
    rows = np.array(json.loads(request.data)["instances"], np.float32)
    (answer,) = predict(**{{alias: tf.constant(rows)}}).values()
    return json.dumps({{"predictions": answer.numpy().tolist()}})
"""
LITSERVE = """
import litserve, numpy as np, sys
class Api(litserve.LitAPI):
    def setup(self, device):
        import tensorflow as tf
        self.tf = tf
        self.run = tf.saved_model.load({path!r}).signatures["serving_default"]
        (self.alias,) = self.run.structured_input_signature[1]
    def decode_request(self, request):
        return np.array(request["instances"][0], np.float32)
    def batch(self, rows):
        return np.stack(rows)
    def predict(self, rows):
        (answer,) = self.run(**{{self.alias: self.tf.constant(rows)}}).values()
        return answer.numpy()
    def unbatch(self, rows):
        return list(rows)
    def encode_response(self, row):
        return {{"predictions": [row.tolist()]}}
if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=64, batch_timeout=0.001), accelerator="cpu", workers_per_device=1
    )
    options = {{"generate_client_file": False, "log_level": "error"}}
    server.run(port=int(sys.argv[1]), host="127.0.0.1", **options)
"""


def peers(folder: Path, model: Path) -> Iterator[tuple[str, str, list[str], int]]:
    """Yield the installed peers: name, path of their URL, command line, port."""
    if (INSTALLED / "gunicorn").is_dir():
        (folder / "flask_peer.py").write_text(FLASK.format(path=str(model)))
        port = free_port()
        flags = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--chdir", str(folder)]
        command = [sys.executable, "-m", "gunicorn", *flags, "flask_peer:app"]
        yield "Flask, gunicorn, 2 workers", "/", command, port
    if (INSTALLED / "litserve").is_dir():
        script = folder / "litserve_peer.py"
        script.write_text(LITSERVE.format(path=str(model)))
        port = free_port()
        yield "LitServe, batching", "/predict", [sys.executable, str(script), str(port)], port


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int) -> Iterator[float]:
    """Run a peer in a process group of its own; give the seconds until it answered."""
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "PYTHONPATH": str(INSTALLED.resolve())}
    server = subprocess.Popen(
        command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        while not answers(port):
            if server.poll() is not None:
                raise RuntimeError(f"{command} ended with {server.returncode}")
            time.sleep(0.05)  # peers print no common line when they are ready
        yield time.perf_counter() - began
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(port: int) -> bool:
    """Return whether a server answers a GET request."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
