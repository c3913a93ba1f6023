"""The cost of a model's calls by batch size, in a process of its own.

Run as a module with a JSON document as argument; prints a JSON line per size. TensorFlow makes the
threads of an operation once per process, so each number of them needs a process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cloudserve.bench.histogram import Histogram
from cloudserve.bench.settings import Request
from cloudserve.bench.tuning import SizeCost
from cloudserve.savedmodel.signature import Signature

from ..runtime.options import SessionOptions
from ..runtime.session import load_model
from ..runtime.types import LoadedModel, Tensor
from .payloads import generate

_WARM_UP_CALLS = 3
_FEWEST_CALLS = 5
_MILLISECOND = 1e6
_SECOND = 1_000_000_000


def measure_costs(options: Mapping[str, Any]) -> Iterator[SizeCost]:
    """Yield the cost of each size, until a call takes longer than `longest` milliseconds."""
    session = SessionOptions(
        intra_op_threads=options["intra_op"], devices=tuple(options["devices"])
    )
    model = load_model(Path(options["path"]), options=session)
    try:
        signature = model.signatures[options["signature"]]
        for rows in options["sizes"]:
            inputs = _inputs(signature, rows, options["shapes"])
            cost = _cost(model, signature.name, inputs, rows, options)
            yield cost
            if cost.p50 > options["longest"]:
                return
    finally:
        model.close()


def _inputs(
    signature: Signature, rows: int, shapes: Mapping[str, list[int]]
) -> Mapping[str, Tensor]:
    sized = {alias: (rows, *shape[1:]) for alias, shape in shapes.items()}
    (inputs,) = generate(signature, Request(signature.name, rows, sized), 1)
    return inputs


def _cost(
    model: LoadedModel,
    signature: str,
    inputs: Mapping[str, Tensor],
    rows: int,
    options: Mapping[str, Any],
) -> SizeCost:
    for _ in range(_WARM_UP_CALLS):
        model.run(signature, inputs)
    times = [Histogram() for _ in range(options["threads"])]
    began = time.perf_counter_ns()
    until = began + int(options["seconds"] * _SECOND)

    def call(histogram: Histogram) -> None:
        while (start := time.perf_counter_ns()) < until or histogram.count < _FEWEST_CALLS:
            model.run(signature, inputs)
            histogram.record(time.perf_counter_ns() - start)

    with ThreadPoolExecutor(len(times)) as pool:
        list(pool.map(call, times))
    took = (time.perf_counter_ns() - began) / _SECOND
    merged = Histogram()
    for one in times:
        merged.merge(one)
    return SizeCost(
        rows,
        merged.quantile(0.5) / _MILLISECOND,
        merged.quantile(0.99) / _MILLISECOND,
        merged.count * rows / took,
    )


def main() -> None:
    """Measure what the argument says."""
    for cost in measure_costs(json.loads(sys.argv[1])):
        line = {name: getattr(cost, name) for name in ("rows", "p50", "p99", "throughput")}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
