"""Report of a tuning: costs by batch size, the choice, and the loads that verify it."""

from __future__ import annotations

from cloudserve.bench.tuning import Curve, Parameters, ServeTrial, Trial, Tuning, server_flags
from cloudserve.cli.render.report import Report, Table


def tuning_report(tuning: Tuning) -> Report:
    """Render a tuning."""
    trials = [
        ("model-server, unbatched", tuning.baseline),
        ("model-server, chosen", tuning.capacity),
        *(("model-server, open loop", trial) for trial in tuning.trials),
        *((_serve(one, tuning.parameters), one.trial) for one in tuning.serve),
    ]
    rows = [_trial(name, trial) for name, trial in trials]
    columns = ("LOAD", "RATE", "ANSWERED/S", "P50", "P99", "FAILED", "OBJECTIVE")
    tables = [
        *(_costs(curve) for curve in tuning.curves),
        Table(columns, rows, f"verification: p99 of {tuning.objective:g} ms"),
        Table(("chosen", ""), _parameters(tuning.parameters)),
    ]
    if tuning.notes:
        tables.append(Table(("notes", ""), [("-", note) for note in tuning.notes]))
    return Report(tuning, tuple(tables))


def _costs(curve: Curve) -> Table:
    rows = [
        (f"{cost.rows}", f"{cost.p50:.2f} ms", f"{cost.p99:.2f} ms", f"{cost.throughput:,.0f}")
        for cost in curve.costs
    ]
    title = f"calls from {curve.name}"
    return Table(("ROWS", "P50", "P99", "ROWS/S"), rows, title)


def _serve(verified: ServeTrial, parameters: Parameters) -> str:
    if not verified.options:
        return "serve, by itself"
    return f"serve, {'with the parameters' if parameters.is_batching else 'unbatched'}"


def _trial(name: str, trial: Trial) -> tuple[str, ...]:
    return (
        name,
        "" if trial.rate is None else f"{trial.rate:,.0f}",
        f"{trial.throughput:,.0f}",
        _ms(trial.p50),
        _ms(trial.p99),
        f"{trial.failed:,}",
        "" if trial.rate is None else "met" if trial.met else "not met",
    )


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def _parameters(parameters: Parameters) -> list[tuple[str, str]]:
    flags = " ".join(server_flags(parameters, "batching.config"))
    if not parameters.is_batching:
        return [("batching", "off"), ("model-server", flags), ("serve", "--no-batching")]
    sizes = ", ".join(map(str, parameters.allowed_batch_sizes)) or "all: padding does not pay"
    return [
        ("max_batch_size", f"{parameters.max_batch_size}"),
        ("allowed_batch_sizes", sizes),
        ("batch_timeout_micros", f"{parameters.batch_timeout_micros}"),
        ("num_batch_threads", f"{parameters.num_batch_threads}"),
        ("max_enqueued_batches", f"{parameters.max_enqueued_batches}"),
        ("model-server", flags),
        ("serve", "--batching-parameters batching.config"),
    ]
