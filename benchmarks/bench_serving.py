"""The model server against its limits and a peer, in one run: `make bench-serving`.

limit = 1 / (1/transport + 1/model): *transport* is a constant answer through the same HTTP/1.1
transport, *model* the call in process at one row, both of one process on the machine of the run.
The load is wrk's (Debian: wrk), which costs little CPU. The peer is Flask under gunicorn with two
workers, where gunicorn is installed. Not collected by pytest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bench_batching import LAYERS, build_mlp
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.tensorflow import import_tensorflow

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
CONNECTIONS = (1, 16, 64)
SCRIPTS = Path(sys.executable).parent

HELLO = """
import sys
from cloudserve.local_server.transport.loop import run
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.types import Response
import asyncio
class Hello:
    def body_limit(self, head): return 1 << 20
    def handle(self, request): return Response(200, b'{"predictions": [1.0]}', "application/json")
async def main():
    await HttpServer(Hello(), "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()
run(main())
"""

FLASK = """
import json, sys
import numpy as np, tensorflow as tf
from flask import Flask, request
app = Flask(__name__)
model = tf.saved_model.load("PATH")
predict = model.signatures["serving_default"]
@app.route("/v1/models/m", methods=["GET"])
def status(): return "{}"
@app.route("/v1/models/m:predict", methods=["POST"])
def serve():
    rows = np.array(json.loads(request.data)["instances"], np.float32)
    return json.dumps({"predictions": predict(x=tf.constant(rows))["y"].numpy().tolist()})
"""


def build_tiny(path: Path) -> None:
    """Save x/2+2 as a TF 1 SavedModel."""
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None,), "x")
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": x * 0.5 + 2.0})


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(port: int, *command: str) -> Iterator[float]:
    """Run a server in a process group of its own; give the seconds until it answered."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not answers(port):
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.02)
        yield time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def answers(port: int) -> bool:
    """Return whether a server answers a request for a model's status."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/m", timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def load(folder: Path, port: int, body: bytes, connections: int) -> tuple[float, str, str]:
    """Return requests a second, and the median and 99th percentile of the latency."""
    script = folder / "post.lua"
    text = f"wrk.method='POST'; wrk.body={json.dumps(body.decode())}"
    script.write_text(f"{text}; wrk.headers['Content-Type']='application/json'")
    target = f"http://127.0.0.1:{port}/v1/models/m:predict"
    flags = ["-t1", f"-c{connections}", f"-d{SECONDS:g}s", "--latency", "-s", str(script)]
    out = subprocess.run(["wrk", *flags, target], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)

    def read(pattern: str) -> str:
        found = re.search(pattern, out)
        assert found is not None, out
        return found[1]

    return float(read(r"Requests/sec:\s+(\S+)")), read(r"\n +50%\s+(\S+)"), read(r"\n +99%\s+(\S+)")


def in_process(path: Path, row: np.ndarray) -> float:
    """Return the calls a second of one thread, one row each."""
    model = load_model(path)
    until = time.perf_counter() + SECONDS / 2
    calls = 0
    while time.perf_counter() < until:
        model.run("serving_default", {"x": row})
        calls += 1
    model.close()
    return calls / (SECONDS / 2)


def measure(folder: Path, title: str, row: np.ndarray) -> None:
    """Print a model's table: limits, the server with and without batching, the peer."""
    body = json.dumps({"instances": np.round(row, 4).tolist()}).encode()
    model = in_process(folder / "m" / "1", row)
    port = free_port()
    with running(port, sys.executable, "-c", HELLO, str(port)):
        transport = {c: load(folder, port, body, c)[0] for c in CONNECTIONS}
    limits = {c: 1 / (1 / transport[c] + 1 / model) for c in CONNECTIONS}
    print(
        f"\n{title}, a row of {row.size} a request ({len(body)} bytes); in process {model:,.0f}/s"
    )
    show("transport alone", {c: f"{transport[c]:,.0f}" for c in CONNECTIONS})
    show("limit", {c: f"{limits[c]:,.0f}" for c in CONNECTIONS})
    for name, port, command in servers(folder):
        with running(port, *command) as start:
            rates = {c: load(folder, port, body, c) for c in CONNECTIONS}
        cells = {c: f"{r:,.0f} = {r / limits[c]:.2f}  {m} / {w}" for c, (r, m, w) in rates.items()}
        show(f"{name} (up in {start:.1f} s)", cells)


def servers(folder: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Give what is compared: a name, a port, a command line."""
    for name, flags in (("cloudserve", []), ("cloudserve, batching", ["--enable_batching"])):
        port = free_port()
        paths = [f"--rest_api_port={port}", f"--model_base_path={folder / 'm'}", "--model_name=m"]
        socket_flags = ["--port=0", f"--grpc_socket_path={folder / 'grpc'}"]
        command = [str(SCRIPTS / "cloudserve"), "model-server", *paths, *socket_flags, *flags]
        yield name, port, command
    gunicorn = SCRIPTS / "gunicorn"
    if gunicorn.exists():
        port = free_port()
        (folder / "peer.py").write_text(FLASK.replace("PATH", str(folder / "m" / "1")))
        bind = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--chdir", str(folder)]
        yield "Flask, gunicorn, 2 workers", port, [str(gunicorn), *bind, "peer:app"]


def show(name: str, cells: dict[int, str]) -> None:
    """Print a row, a cell for each number of connections."""
    print(f"  {name:<42}" + "".join(f"{cell:<36}" for cell in cells.values()), flush=True)


def main() -> int:
    """Measure both models."""
    if shutil.which("wrk") is None:
        print("bench-serving needs wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    print("requests a second = share of the limit  median / 99% latency; connections:")
    show("", {c: str(c) for c in CONNECTIONS})
    generator = np.random.default_rng(0)
    for title, build, row in (
        ("x/2+2", build_tiny, np.ones(1, np.float32)),
        ("MLP 784-512-512-10", build_mlp, generator.random((1, LAYERS[0]), np.float32)),
    ):
        with tempfile.TemporaryDirectory() as name:
            build(Path(name) / "m" / "1")
            measure(Path(name), title, row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
