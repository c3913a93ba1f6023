"""What batching pays: rows a second of an MLP, unbatched and batched, at 64 concurrent callers.

Run by `make bench-batching`; not collected by pytest. One row a request, in process, no transport.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cloudserve.local_server.batching import BatchedModel, BatchingParameters, batched
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadedModel
from served_models import LAYERS, build_mlp

CALLERS = 64
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
PARAMETERS = BatchingParameters(max_batch_size=CALLERS, max_enqueued_batches=CALLERS)
ROW = {"x": np.random.default_rng(0).random((1, LAYERS[0]), np.float32)}


def from_threads(model: LoadedModel) -> int:
    """Call the model from as many threads as there are callers; return the number of rows."""
    stop_at = time.perf_counter() + SECONDS
    rows = [0] * CALLERS

    def call(index: int) -> None:
        while time.perf_counter() < stop_at:
            rows[index] += len(model.run("serving_default", ROW)["y"])

    threads = [threading.Thread(target=call, args=(index,)) for index in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rows)


def from_loop(model: LoadedModel) -> int:
    """Submit from as many coroutines as there are callers; return the number of rows."""
    assert isinstance(model, BatchedModel)
    stop_at = time.perf_counter() + SECONDS

    async def call() -> int:
        rows = 0
        while time.perf_counter() < stop_at:
            rows += len((await model.submit("serving_default", ROW))["y"])
        return rows

    async def main() -> int:
        return sum(await asyncio.gather(*(call() for _ in range(CALLERS))))

    return asyncio.run(main())


def in_one_call(model: LoadedModel) -> int:
    """Call the model with as many rows as there are callers, from one thread per core."""
    rows = {"x": np.repeat(ROW["x"], CALLERS, axis=0)}
    stop_at = time.perf_counter() + SECONDS
    done = [0] * (os.cpu_count() or 1)

    def call(index: int) -> None:
        while time.perf_counter() < stop_at:
            done[index] += len(model.run("serving_default", rows)["y"])

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(done))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def rate(way: Callable[[LoadedModel], int], model: LoadedModel) -> float:
    """Return rows a second, after a warm-up call."""
    model.run("serving_default", ROW)
    begun = time.perf_counter()
    rows = way(model)
    return rows / (time.perf_counter() - begun)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlp"
        build_mlp(path)
        alone, together = load_model(path), batched(load_model, PARAMETERS)(path)
    unbatched = rate(from_threads, alone)
    figures = {
        f"unbatched, {CALLERS} threads": unbatched,
        f"batched, {CALLERS} threads": rate(from_threads, together),
        f"batched, {CALLERS} coroutines": rate(from_loop, together),
        f"limit: calls of {CALLERS} rows": rate(in_one_call, alone),
    }
    together.close()
    alone.close()
    for name, rows in figures.items():
        sys.stdout.write(f"{name:28} {rows:10,.0f} rows/s  {rows / unbatched:5.1f} x\n")


if __name__ == "__main__":
    main()
