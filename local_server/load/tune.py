"""Batching parameters for an objective: measured costs, a choice, and loads that verify it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudserve.bench.child import ChildServer, child_server, flagged_child
from cloudserve.bench.result import Result
from cloudserve.bench.settings import Arrivals, Load, Request, Settings, TuneSettings
from cloudserve.bench.tuning import (
    Curve,
    Parameters,
    ServeTrial,
    SizeCost,
    Trial,
    Tuning,
    batching_file,
    candidates,
    serve_options,
    server_flags,
    sizes_to_measure,
    threads_text,
)
from cloudserve.errors import ModelError, UserError
from cloudserve.hints import did_you_mean
from cloudserve.savedmodel import read_saved_model, resolve

from .bench import bench
from .payloads import generate

_BATCHING = "batching.config"
_COST_SECONDS = 0.3
_WARM_UP_SECONDS = 1.0
_SHARES = (0.9, 0.75, 0.6, 0.45, 0.3, 0.15)
"""Of the capacity: the rates that are tried."""
_MOST_CANDIDATES = 3
_MOST_CONNECTIONS = 512
_UNBATCHED_CONNECTIONS = 64

Progress = Callable[[str], None]


def tune(path: Path, settings: TuneSettings, progress: Progress) -> Tuning:
    """Measure, choose and verify; see `cloudserve.bench.tune`."""
    _, folder = resolve(path)
    _check_batchable(folder, settings)
    curves = tuple(_curve(folder, *pair, settings, progress) for pair in _thread_counts())
    with _base_path(folder) as base:
        tuner = _Tuner(base, settings, progress)
        baseline = tuner.unbatched()
        choices = candidates(curves, settings.objective)[:_MOST_CANDIDATES]
        verified = tuner.first_met(choices, baseline)
        serve = tuner.serve(verified) if verified.rate is not None else ()
    return Tuning(
        path=str(path),
        signature=settings.signature,
        objective=settings.objective,
        curves=curves,
        parameters=verified.parameters,
        baseline=baseline,
        capacity=verified.capacity,
        trials=verified.trials,
        rate=verified.rate,
        notes=tuner.notes(),
        serve=serve,
    )


@dataclass(frozen=True, slots=True)
class _Verified:
    parameters: Parameters
    capacity: Trial
    trials: tuple[Trial, ...]
    rate: float | None


def _check_batchable(folder: Path, settings: TuneSettings) -> None:
    name = settings.signature
    signatures = {one.name: one for one in read_saved_model(folder).signatures}
    if name not in signatures:
        raise UserError(
            f"the model has no signature {name!r}",
            where=str(folder),
            hint=did_you_mean(name, sorted(signatures)),
        )
    fixed = [spec.type for spec in signatures[name].inputs if not _has_open_rows(spec.shape)]
    if fixed:
        raise UserError(
            f"requests of signature {name!r} cannot be batched: an input is {fixed[0]}, "
            "without an open first dimension",
            where=str(folder),
            hint="export the model with None as the first size of each input",
        )

    # Refuses here what the process that measures could only print.
    generate(signatures[name], Request(name, 1, _one_row(settings.shapes)), 1)


def _has_open_rows(shape: tuple[int | None, ...] | None) -> bool:
    return shape is None or (len(shape) > 0 and shape[0] is None)


def _thread_counts() -> list[tuple[int, int]]:
    """Return pairs of batch threads and threads of an operation that use all cores."""
    cores = len(os.sched_getaffinity(0))
    halves = [(cores // 2, 2)] if cores >= 4 else []  # noqa: PLR2004 - else it is one of the ends
    return sorted({(cores, 1), *halves, (1, cores)}, reverse=True)


def _curve(
    folder: Path, threads: int, intra_op: int, settings: TuneSettings, progress: Progress
) -> Curve:
    progress(f"measuring batches with {threads_text(threads, intra_op)}")
    options = {
        "path": str(folder),
        "signature": settings.signature,
        "shapes": settings.shapes,
        "sizes": sizes_to_measure(settings.most_rows),
        "threads": threads,
        "intra_op": intra_op,
        "devices": settings.devices,
        "seconds": min(_COST_SECONDS, settings.seconds / 10),
        "longest": settings.objective,
    }
    command = [sys.executable, "-m", "cloudserve.local_server.load.cost", json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    costs = tuple(SizeCost(**json.loads(line)) for line in done.stdout.splitlines())
    if done.returncode or not costs:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ModelError(
            f"the model's costs cannot be measured: {last}",
            where=str(folder),
            hint="see whether it answers at all: cloudserve run MODEL",
        )
    return Curve(threads, intra_op, costs)


@contextmanager
def _base_path(folder: Path) -> Iterator[Path]:
    """Give a base path whose only version is a SavedModel, and room for a file."""
    with tempfile.TemporaryDirectory(prefix="cloudserve-tune-") as name:
        base = Path(name)
        (base / "1").symlink_to(folder.resolve())
        yield base


class _Tuner:
    """Loads a server with given parameters."""

    def __init__(self, base: Path, settings: TuneSettings, progress: Progress) -> None:
        self._base = base
        self._settings = settings
        self._progress = progress
        self._loads = 0
        self._doubts: Counter[str] = Counter()
        self._no_gain: list[str] = []

    def notes(self) -> tuple[str, ...]:
        """Return sentences about the choice, and about what limited the loads."""
        loads = [f"{what} in {n} of {self._loads} loads" for what, n in self._doubts.items()]
        return (*self._no_gain, *sorted(loads))

    def unbatched(self) -> Trial:
        """Return a closed loop without batching."""
        self._progress("measuring the server without batching")
        with flagged_child(self._base, self._device_flags()) as server:
            return self._trial(server, self._closed(_UNBATCHED_CONNECTIONS))

    def first_met(self, choices: Sequence[Parameters], baseline: Trial) -> _Verified:
        """Return the first choice that meets the objective, or the first one if none does."""
        first = self._verify(choices[0])
        if baseline.throughput >= first.capacity.throughput:
            self._no_gain.append(
                f"batching does not pay: {baseline.throughput:,.0f} answers per second without, "
                f"{first.capacity.throughput:,.0f} with batches of {choices[0].max_batch_size}"
            )
            first = self._verify(choices[0].unbatched())
        tried = [first]
        for parameters in choices[1:]:
            if tried[-1].rate is not None:
                break
            tried.append(self._verify(parameters))
        return next((one for one in tried if one.rate is not None), first)

    def serve(self, verified: _Verified) -> tuple[ServeTrial, ...]:
        """Load `cloudserve serve` at the verified rate, by itself and with the parameters."""
        assert verified.rate is not None
        file = self._base / _BATCHING
        file.write_text(batching_file(verified.parameters))
        trials = []
        for options in serve_options(verified.parameters, str(file)):
            shown = " ".join(options).replace(str(file), _BATCHING)
            self._progress(f"verifying {verified.rate:,.0f} with `{f'serve {shown}'.strip()}`")
            with child_server(self._base, [*options, *self._device_options()]) as server:
                trials.append(ServeTrial(shown, self._trial(server, self._open(verified.rate))))
        return tuple(trials)

    def _verify(self, parameters: Parameters) -> _Verified:
        file = self._base / _BATCHING
        file.write_text(batching_file(parameters))
        flags = [*server_flags(parameters, str(file)), *self._device_flags()]
        size = parameters.max_batch_size if parameters.is_batching else 1
        with flagged_child(self._base, flags) as server:
            batches = f"with batches of up to {size}" if size > 1 else "without batches"
            self._progress(f"measuring the server {batches}")
            connections = 2 * size * parameters.num_batch_threads
            capacity = self._trial(
                server, self._closed(connections if size > 1 else _UNBATCHED_CONNECTIONS)
            )
            trials: list[Trial] = []
            for rate in self._rates(capacity.throughput):
                self._progress(f"verifying {rate:,.0f} requests per second")
                trials.append(self._trial(server, self._open(rate)))
                if trials[-1].met:
                    return _Verified(parameters, capacity, tuple(trials), rate)
        return _Verified(parameters, capacity, tuple(trials), None)

    def _rates(self, capacity: float) -> list[float]:
        if self._settings.rate is not None:
            return [self._settings.rate]
        return [share * capacity for share in _SHARES if share * capacity > 0]

    def _closed(self, connections: int) -> Load:
        most = min(connections, _MOST_CONNECTIONS)
        seconds = self._settings.seconds
        return Load(
            connections=most,
            seconds=seconds,
            warm_up=min(_WARM_UP_SECONDS, seconds),
            timeout=self._timeout(),
        )

    def _open(self, rate: float) -> Load:
        in_flight = int(4 * rate * self._settings.objective / 1000)
        return Load(
            connections=min(max(in_flight, _UNBATCHED_CONNECTIONS), _MOST_CONNECTIONS),
            rate=rate,
            arrivals=Arrivals.POISSON,
            seconds=self._settings.seconds,
            warm_up=min(_WARM_UP_SECONDS, self._settings.seconds),
            timeout=self._timeout(),
        )

    def _timeout(self) -> float:
        return max(10.0, self._settings.objective / 100)

    def _trial(self, server: ChildServer, load: Load) -> Trial:
        settings = self._settings
        request = Request(settings.signature, 1, _one_row(settings.shapes))
        url = server.grpc if settings.use_grpc else server.rest
        result = bench(url, load, Settings(request, catch_signals=settings.catch_signals))
        if result.interrupted:
            raise KeyboardInterrupt
        if result.ended:
            raise ModelError(
                f"the server stopped during a load: {result.ended}",
                where=url,
                hint="check the memory of this machine, and lower --max-batch-size",
            )
        self._loads += 1
        self._doubts.update(what for what in _DOUBTS if any(what in note for note in result.notes))
        return _trial_of(result, settings.objective)

    def _device_flags(self) -> list[str]:
        return ["=".join(self._device_options())] if self._settings.devices else []

    def _device_options(self) -> list[str]:
        devices = self._settings.devices
        return ["--devices", ",".join(devices)] if devices else []


_DOUBTS = (
    "the load generator was the bottleneck",
    "the load generator was late",
    "all cores of this machine were busy",
)
"""Parts of notes that limit what a trial says."""


def _one_row(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {alias: (1, *shape[1:]) for alias, shape in shapes.items()}


def _trial_of(result: Result, objective: float) -> Trial:
    latency = result.latency
    met = latency is not None and latency.p99 <= objective and not result.failed
    return Trial(
        rate=result.rate,
        throughput=result.throughput,
        p50=latency.p50 if latency else None,
        p99=latency.p99 if latency else None,
        failed=result.failed,
        met=met,
    )
