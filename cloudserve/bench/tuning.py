"""The choice of batching parameters from measured costs, and the records of a tuning.

A request that arrives while all threads are busy waits for a batch in progress and then runs in its
own: about twice a batch's time. The largest throughput with that below the objective wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cloudserve.plural import counted

HEADROOM = 0.8
"""Share of the objective that two batches may take; the rest is for the transport."""
_RUNS_IN_WAIT = 2
_GAIN = 1.05
"""A larger batch has to be this much faster, or it only adds latency."""
_LARGEST_TIMEOUT_MS = 10.0
_PADDING_SHARE = 0.5
_DEARER = 1.05
_MOST_ENQUEUED = 1000


@dataclass(frozen=True, slots=True)
class SizeCost:
    """What a call of so many rows costs; times are milliseconds."""

    rows: int
    p50: float
    p99: float
    throughput: float
    """Rows a second, of all threads."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The costs by batch size, with so many threads at the same time."""

    threads: int
    intra_op: int
    """Threads of one operation."""
    costs: tuple[SizeCost, ...]

    @property
    def name(self) -> str:
        """Return the numbers of threads as text."""
        return threads_text(self.threads, self.intra_op)


def threads_text(threads: int, intra_op: int) -> str:
    """Return the numbers of calling threads, and of threads of one operation, as text."""
    return f"{counted(threads, 'thread')}, {intra_op} per operation"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a server is configured with."""

    max_batch_size: int
    allowed_batch_sizes: tuple[int, ...]
    """Sizes that batches are padded to; empty if padding does not pay."""
    batch_timeout_micros: int
    num_batch_threads: int
    max_enqueued_batches: int
    intra_op: int
    is_batching: bool = True
    """False if the server answers more requests without batching."""

    def unbatched(self) -> Parameters:
        """Return the same threads without batching."""
        return replace(self, is_batching=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A load on a configured server; times are milliseconds."""

    rate: float | None
    """Requests a second of an open loop; None for a closed loop."""
    throughput: float
    p50: float | None
    p99: float | None
    failed: int
    met: bool
    """Whether the 99th percentile was within the objective, and no request failed."""


@dataclass(frozen=True, slots=True)
class ServeTrial:
    """A load on `cloudserve serve`, whose own batching differs from that of `model-server`."""

    options: str
    """Its options about batching, in one string; "" if it batches by measured costs."""
    trial: Trial


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was measured, chosen and verified."""

    path: str
    signature: str
    objective: float
    """The 99th percentile in milliseconds."""
    curves: tuple[Curve, ...]
    parameters: Parameters
    baseline: Trial
    """A closed loop without batching."""
    capacity: Trial
    """The same with the parameters."""
    trials: tuple[Trial, ...]
    rate: float | None
    """The highest tried rate that met the objective; None if none did."""
    notes: tuple[str, ...]
    serve: tuple[ServeTrial, ...] = ()
    """Open loops at this rate on `cloudserve serve`."""


def candidates(curves: Iterable[Curve], objective: float) -> list[Parameters]:
    """Return parameters in the order of their throughput, fastest first.

    Of each curve, the sizes whose wait and run fit the objective; if none does, the size with the
    shortest run.
    """
    pairs = [(cost, curve) for curve in curves for cost in _worthwhile(curve.costs)]
    fitting = [pair for pair in pairs if _RUNS_IN_WAIT * pair[0].p50 <= HEADROOM * objective]
    fitting.sort(key=lambda pair: -pair[0].throughput)
    fitting = fitting or [min(pairs, key=lambda pair: pair[0].p50)]
    return [_parameters(cost, curve, objective) for cost, curve in fitting]


def _worthwhile(costs: Sequence[SizeCost]) -> list[SizeCost]:
    """Return the powers of two that are faster than all smaller ones."""
    kept: list[SizeCost] = []
    for cost in costs:
        is_power = cost.rows & (cost.rows - 1) == 0
        if is_power and (not kept or cost.throughput >= _GAIN * kept[-1].throughput):
            kept.append(cost)
    return kept


def _parameters(cost: SizeCost, curve: Curve, objective: float) -> Parameters:
    slack = max(0.0, objective - _RUNS_IN_WAIT * cost.p50)
    timeout = min(slack / 4, curve.costs[0].p50, _LARGEST_TIMEOUT_MS) if cost.rows > 1 else 0.0
    queued = int((objective - cost.p50) / cost.p50 * curve.threads)
    return Parameters(
        max_batch_size=cost.rows,
        allowed_batch_sizes=allowed_sizes(curve.costs, cost.rows),
        batch_timeout_micros=int(timeout * 1000),
        num_batch_threads=curve.threads,
        max_enqueued_batches=min(max(1, queued), _MOST_ENQUEUED),
        intra_op=curve.intra_op,
    )


def allowed_sizes(costs: Sequence[SizeCost], most: int) -> tuple[int, ...]:
    """Return the sizes to pad to: powers of two, if sizes between them cost more than the next one.

    Empty if most sizes between them are cheaper, as padded rows are computed in vain.
    """
    by_rows = {cost.rows: cost.p50 for cost in costs}
    powers = [rows for rows in by_rows if rows & (rows - 1) == 0 and rows <= most]
    between = [rows for rows in by_rows if rows not in powers and rows < most]
    dear = [rows for rows in between if by_rows[rows] >= _DEARER * by_rows[_next_power(rows)]]
    return tuple(sorted(powers)) if len(dear) > _PADDING_SHARE * len(between) else ()


def _next_power(rows: int) -> int:
    return 1 << rows.bit_length()


def sizes_to_measure(most: int) -> list[int]:
    """Return powers of two and the sizes half-way between them: 1, 2, 3, 4, 6, 8 up to 8."""
    powers = [1 << n for n in range(most.bit_length())]
    return sorted({*powers, *(power * 3 // 2 for power in powers[1:])} & set(range(1, most + 1)))


def batching_file(parameters: Parameters) -> str:
    """Return TensorFlow Serving's BatchingParameters in text form."""
    values = {
        "max_batch_size": parameters.max_batch_size,
        "batch_timeout_micros": parameters.batch_timeout_micros,
        "num_batch_threads": parameters.num_batch_threads,
        "max_enqueued_batches": parameters.max_enqueued_batches,
    }
    lines = [f"{name} {{ value: {value} }}\n" for name, value in values.items()]
    lines += [f"allowed_batch_sizes: {size}\n" for size in parameters.allowed_batch_sizes]
    return "".join(lines)


def sagemaker_variables(parameters: Parameters) -> dict[str, str]:
    """Return the variables of SageMaker's TensorFlow container."""
    if not parameters.is_batching:
        return {
            "SAGEMAKER_TFS_ENABLE_BATCHING": "false",
            "SAGEMAKER_TFS_INTRA_OP_PARALLELISM": str(parameters.intra_op),
        }
    values = {
        "ENABLE_BATCHING": "true",
        "MAX_BATCH_SIZE": parameters.max_batch_size,
        "BATCH_TIMEOUT_MICROS": parameters.batch_timeout_micros,
        "NUM_BATCH_THREADS": parameters.num_batch_threads,
        "MAX_ENQUEUED_BATCHES": parameters.max_enqueued_batches,
        "INTRA_OP_PARALLELISM": parameters.intra_op,
    }
    return {f"SAGEMAKER_TFS_{name}": str(value) for name, value in values.items()}


def serve_options(parameters: Parameters, file: str) -> tuple[tuple[str, ...], ...]:
    """Return the options of `serve` to verify: batching by itself, and as the parameters say."""
    chosen = ("--batching-parameters", file) if parameters.is_batching else ("--no-batching",)
    return (), chosen


def server_flags(parameters: Parameters, file: str) -> list[str]:
    """Return the flags of `model-server` and of tensorflow_model_server."""
    threads = f"--tensorflow_intra_op_parallelism={parameters.intra_op}"
    if not parameters.is_batching:
        return [threads]
    return ["--enable_batching", f"--batching_parameters_file={file}", threads]
