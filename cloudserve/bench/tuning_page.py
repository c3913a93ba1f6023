"""The page of a tuning: the cost curves and the verified rates."""

from __future__ import annotations

from math import log2

from cloudserve.bench.page import html_page
from cloudserve.bench.plot import Chart, Series
from cloudserve.bench.tuning import Tuning, batching_file, sagemaker_variables


def tuning_page(tuning: Tuning) -> str:
    """Return the page of a tuning."""
    parameters = tuning.parameters
    file = batching_file(parameters) if parameters.is_batching else "batching: off"
    files = [line.split(" ", 1) for line in file.splitlines()]
    return html_page(
        f"Batching of {tuning.path}",
        [
            [("objective", f"p99 of {tuning.objective:g} ms"), ("rate", _rate(tuning))],
            [
                (name.rstrip(":"), value.strip("{ }").removeprefix("value: "))
                for name, value in files
            ],
            list(sagemaker_variables(tuning.parameters).items()),
        ],
        [_throughput(tuning), _times(tuning), _trials(tuning)],
        tuning.notes,
    )


def _rate(tuning: Tuning) -> str:
    if tuning.rate is None:
        return "no tried rate met the objective"
    return f"{tuning.rate:,.0f} requests per second met it"


def _throughput(tuning: Tuning) -> Chart:
    series = [
        Series(curve.name, [(log2(cost.rows), cost.throughput) for cost in curve.costs])
        for curve in tuning.curves
    ]
    return Chart("Throughput by batch size", "rows", "rows per second", series, _ticks(tuning))


def _times(tuning: Tuning) -> Chart:
    series = [
        Series(curve.name, [(log2(cost.rows), cost.p50) for cost in curve.costs])
        for curve in tuning.curves
    ]
    return Chart("Time of a batch", "rows", "ms, median", series, _ticks(tuning))


def _trials(tuning: Tuning) -> Chart:
    trials = sorted((t.rate, t.p99) for t in tuning.trials if t.rate is not None and t.p99)
    limit = (tuning.objective, "objective")
    series = [Series("p99", trials)]
    return Chart("Verified rates", "requests per second", "ms, p99", series, limit=limit)


def _ticks(tuning: Tuning) -> list[tuple[float, str]]:
    sizes = {cost.rows for curve in tuning.curves for cost in curve.costs}
    return [(log2(rows), str(rows)) for rows in sorted(sizes) if rows & (rows - 1) == 0]
