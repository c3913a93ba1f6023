"""Load, run and close a model again and again: `make bench-loads`, or `loads.py 50 MODEL cpu:0`.

Prints a JSON object for each load: its number, the milliseconds it took, and the bytes that the
process holds when the model is closed. Without a model it writes one of 10 MB.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.tensorflow import import_tensorflow

WIDTH = 1600
PAGE = 4096


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def write_model(path: Path) -> None:
    """Write a SavedModel of one matrix, of [n, WIDTH] to the same."""
    tf = import_tensorflow()
    module = tf.Module()
    module.matrix = tf.Variable(np.eye(WIDTH, dtype=np.float32))
    x = tf.TensorSpec([None, WIDTH], tf.float32, name="x")
    product = tf.function(lambda x: {"y": tf.matmul(x, module.matrix)}, input_signature=[x])
    tf.saved_model.save(module, str(path), signatures=product)


def load_often(path: Path, count: int, devices: tuple[str, ...]) -> None:
    """Load the model and print, so many times."""
    for number in range(1, count + 1):
        began = time.perf_counter()
        model = load_model(path, options=SessionOptions(devices=devices))
        millis = (time.perf_counter() - began) * 1e3
        (spec,) = model.signatures["serving_default"].inputs
        x = np.ones((1, *(spec.shape or (1, WIDTH))[1:]), np.float32)
        model.run("serving_default", {spec.alias: x})
        model.close()
        print(json.dumps({"load": number, "ms": round(millis), "resident": resident()}))


def main(count: str, model: str = "", *devices: str) -> None:
    """Load an existing model, or one written for this."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(model or folder)
        if not model:
            write_model(path)
        load_often(path, int(count), devices)


if __name__ == "__main__":
    main(*sys.argv[1:])
