"""From a server's start to its first answer, and its memory then: `make bench-start`.

Starts `cloudserve serve` on an MLP and on a Keras CNN several times, sends a request when it says
that it is ready, and prints the best and the median time and the memory of the process. For
comparison, a bare process loads the same model and runs it once. Nothing fails.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench_batching import LAYERS, build_mlp
from cloudserve.local_server.runtime.tensorflow import import_tensorflow

ROUNDS = 5
SIZE = 96

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


def build_cnn(path: Path) -> None:
    """Save a small MobileNetV2 as `tf.saved_model.save` does."""
    tf = import_tensorflow()
    model = tf.keras.applications.MobileNetV2((SIZE, SIZE, 3), alpha=0.35, weights=None)
    tf.saved_model.save(model, str(path))


def megabytes(process: subprocess.Popen[str]) -> int:
    """Return the MiB that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


def start_server(base: Path, body: bytes) -> tuple[float, int]:
    """Return the seconds to the first answer of a server's process, and its memory then."""
    command = [str(Path(sys.executable).with_name("cloudserve")), "serve", str(base), "--name", "m"]
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--port", "0", "--grpc-port", "0"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            with urllib.request.urlopen(f"{address(process)}/v1/models/m:predict", body) as answer:
                json.load(answer)["predictions"]
            return time.perf_counter() - began, megabytes(process)
        finally:
            process.terminate()
            process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """Return the URL that a server prints when it is ready."""
    assert process.stderr is not None
    for line in process.stderr:
        if ready := re.match(r"serving m on (http://\S+),", line):
            return ready[1]
    raise RuntimeError("the server ended before it was ready")


def start_bare(path: Path) -> tuple[float, int]:
    """Return the same of a process that loads the model and runs it once."""
    began = time.perf_counter()
    command = [sys.executable, "-c", BARE, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took = time.perf_counter() - began, megabytes(process)
        process.communicate()
        return took


def show(name: str, measured: list[tuple[float, int]]) -> None:
    """Print a line."""
    seconds = sorted(one[0] for one in measured)
    memory = statistics.median(one[1] for one in measured)
    middle = statistics.median(seconds)
    print(
        f"{name:<34} {seconds[0]:6.2f} s best {middle:6.2f} s median {memory:6.0f} MiB", flush=True
    )


def main() -> None:
    """Measure both models."""
    rows = {"MLP": [0.5] * LAYERS[0], "Keras CNN": [[[0.5] * 3] * SIZE] * SIZE}
    for title, build in (("MLP", build_mlp), ("Keras CNN", build_cnn)):
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder) / "m"
            build(base / "1")
            body = json.dumps({"instances": [rows[title]]}).encode()
            show(f"{title}, cloudserve serve", [start_server(base, body) for _ in range(ROUNDS)])
            show(f"{title}, a bare process", [start_bare(base / "1") for _ in range(ROUNDS)])


if __name__ == "__main__":
    main()
