"""From a server's start to its first answer, and its memory then; the same of a bare process."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from cloudserve.bench import process
from cloudserve.bench.child import child_server

ROUNDS = 5
BARE = """
import sys
from pathlib import Path
import numpy as np
from cloudserve.local_server.runtime.session import load_model
model = load_model(Path(sys.argv[1]))
(spec,) = model.signatures["serving_default"].inputs
model.run("serving_default", {spec.alias: np.ones((1, *spec.shape[1:]), np.float32)})
print("ran", flush=True)
sys.stdin.read()
"""


def start_server(path: Path, body: bytes) -> tuple[float, float]:
    """Return the seconds to the first answer of `cloudserve serve`, and its MiB then."""
    began = time.perf_counter()
    with child_server(path) as server:
        parts = urlsplit(server.rest)
        connection = http.client.HTTPConnection(parts.netloc)
        connection.request("POST", f"{parts.path}:predict", body)
        assert connection.getresponse().status == http.HTTPStatus.OK
        return time.perf_counter() - began, mebibytes(server.process.pid)


def start_bare(path: Path) -> tuple[float, float]:
    """Return the same of a process that loads the model and runs it once."""
    began = time.perf_counter()
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BARE, str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as bare:
        bare.stdout.readline()
        took = time.perf_counter() - began, mebibytes(bare.pid)
        bare.communicate()
        return took


def mebibytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return process.read(frozenset({pid})).memory / 2**20


def show_starts(path: Path, body: bytes) -> None:
    """Print best and median time and the memory, of the server and of a bare process."""
    server = [start_server(path, body) for _ in range(ROUNDS)]
    bare = [start_bare(path) for _ in range(ROUNDS)]
    for name, measured in (("start to first answer", server), ("  a bare process", bare)):
        times, memory = zip(*measured, strict=True)
        print(
            f"  {name:<34}{min(times):.2f} s best, {statistics.median(times):.2f} s median, "
            f"{statistics.median(memory):,.0f} MiB",
            flush=True,
        )
