"""The metrics of a model server: TensorFlow Serving's under its names, and some additions.

One instance per server; nothing is global. Names, labels and buckets: tensorflow_serving/servables/
tensorflow/util.cc, model_servers/http_server.cc, batching/batching_session.cc.
Additional metrics are named `cloudserve_…` and use seconds, as Prometheus recommends.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

from ..defects import DEFECTS
from ..inference.observation import Observation
from ..inference.types import Method
from ..models import State, Version
from ..status import Code
from .exposition import expose
from .instruments import OTHER, Counter, Gauge, Histogram, Labels, Metric, exponential

_SERVING = ":tensorflow:serving:"
_SAVED_MODEL = ":tensorflow:cc:saved_model:"
_CORE = ":tensorflow:core:"
_MICROS = 1e6

_LATENCIES = exponential(10, 1.8, 33)
_SECONDS = tuple(bound / _MICROS for bound in _LATENCIES)
_QUEUING_LATENCIES = exponential(100, 1.2, 52)
_GRAPH_RUN_TIMES = exponential(1000, 2, 20)
_BATCH_SIZES = exponential(1, 2, 14)
_EXAMPLE_COUNTS = exponential(1, 2, 15)
# `Code.name` is computed at each call, and these are the hot paths.
_CODE_NAMES = {code: code.name for code in Code}

Versions = Callable[[], Iterable[Version]]
Waiting = Callable[[], Iterable[tuple[Labels, float]]]


class ServingMetrics:
    """The metrics of a server, fed by its observers. All methods are thread-safe."""

    def __init__(self) -> None:
        self._requests = Counter(f"{_SERVING}request_count", ("model_name", "status"))
        self._latency = Histogram(
            f"{_SERVING}request_latency", ("model_name", "API", "entrypoint"), bounds=_LATENCIES
        )
        self._runtime = Histogram(
            f"{_SERVING}runtime_latency", ("model_name", "API", "runtime"), bounds=_LATENCIES
        )
        self._examples = Histogram(
            f"{_SERVING}request_example_counts", ("model",), bounds=_EXAMPLE_COUNTS
        )
        self._all_examples = Counter(f"{_SERVING}request_example_count_total", ("model",))
        self._logs = Counter(f"{_SERVING}request_log_count", ("model_name", "status_code"))
        self._recorded = Counter("cloudserve_recorded_requests_total", ("model_name", "outcome"))
        self._answered = Counter(
            "cloudserve_requests_total", ("model_name", "version", "signature", "method", "status")
        )
        self._seconds = Histogram(
            "cloudserve_request_seconds",
            ("model_name", "version", "signature", "method"),
            bounds=_SECONDS,
        )
        self._models: frozenset[str] | None = None
        self._versions: Versions | None = None
        self.batches = BatchMetrics()
        self.loads = LoadMetrics()
        self.graphs = GraphMetrics()
        self._metrics: list[Metric] = [
            *(self._requests, self._latency, self._runtime, self._examples, self._all_examples),
            *(self._logs, self._recorded, self._answered, self._seconds),
            *self.batches.metrics(),
            *self.loads.metrics(),
            *self.graphs.metrics(),
            Gauge("cloudserve_defects_total", ("place", "error"), DEFECTS.counts, "counter"),
        ]

    @property
    def requests(self) -> Counter:
        """Return the requests by model, version, signature, method and status."""
        return self._answered

    @property
    def seconds(self) -> Histogram:
        """Return how long requests held a version, by model, version, signature and method."""
        return self._seconds

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format.

        Series of versions that have ended and of models that are no longer configured are printed
        one last time.
        """
        page = expose(self._metrics)
        self._forget_ended()
        return page

    def configure(self, models: Iterable[str]) -> None:
        """Set the names of the models; requests for any other model count as "other"."""
        self._models = frozenset(models)

    def watch(self, versions: Versions) -> None:
        """Add metrics of the versions in memory: their states and their requests in flight.

        Ended versions are omitted, unless they failed and no later version is served.
        """
        self._versions = versions

        def states() -> Iterator[tuple[Labels, float]]:
            for each in _current(versions()):
                yield (each.name, each.status.version, each.status.state.name), 1

        def in_flight() -> Iterator[tuple[Labels, float]]:
            for each in versions():
                if each.model is not None:
                    yield (each.name, each.status.version), each.handles

        labels = ("model_name", "version")
        self._metrics.append(Gauge("cloudserve_model_state", (*labels, "state"), states))
        self._metrics.append(Gauge("cloudserve_requests_in_flight", labels, in_flight))

    def watch_queues(self, waiting: Waiting) -> None:
        """Add the number of requests that wait to be batched, by model and version."""
        self._metrics.append(
            Gauge("cloudserve_batch_queue_depth", ("model_name", "version"), waiting)
        )

    def answered(
        self, model: str, api: str, entrypoint: str, code: Code, seconds: float, count: int = 1
    ) -> None:
        """Count equal requests of a protocol; `api` is TensorFlow Serving's name of it."""
        if self._models is not None and model and model not in self._models:
            model = OTHER  # a client may invent names
        self._requests.add((model, _CODE_NAMES[code]), count)
        if code is Code.OK:
            self._latency.observe((model, api, entrypoint), seconds * _MICROS, count)

    def logged(self, model: str, code: Code) -> None:
        """Count a sampled request and the result of logging it."""
        self._logs.add((model, _CODE_NAMES[code]))

    def recorded(self, model: str, outcome: str) -> None:
        """Count a request that was chosen to be recorded."""
        self._recorded.add((model, outcome))

    def observe(self, observation: Observation) -> None:
        """Count a request of the data plane, or several of one turn (an Observer)."""
        servable, method, requests = observation.servable, observation.method, observation.requests
        if servable is None:
            return  # no version ran, and a client may invent names
        labels = (servable.name, servable.version, observation.signature, method)
        self._answered.add((*labels, _CODE_NAMES[observation.code]), requests)
        if observation.code is not Code.OK:
            return
        self._seconds.observe(labels, observation.seconds, requests)
        if method is Method.MULTI_INFERENCE:
            count = len(observation.examples)
            self._examples.observe((servable.name,), count)
            self._all_examples.add((servable.name,), count)
        else:
            run = observation.run_seconds * _MICROS
            self._runtime.observe((servable.name, method, "TF1"), run, requests)

    def _forget_ended(self) -> None:
        if self._versions is not None:
            current = _current(self._versions())
            versions = {(each.name, each.status.version) for each in current}
            for metric in (self._answered, self._seconds):
                metric.retain(lambda labels: labels[:2] in versions)
            self.loads.retain({each.path for each in current})
        models = self._models
        if models is not None:
            for metric in (self._requests, self._latency, self._runtime, self._logs):
                metric.retain(lambda labels: labels[0] in models or not labels[0])
            for metric in (self._examples, self._all_examples):
                metric.retain(lambda labels: labels[0] in models)


def _current(versions: Iterable[Version]) -> list[Version]:
    """Return the versions without the ended ones, except failures without a later version."""
    listed = list(versions)
    served: dict[str, int] = {}
    for each in listed:
        if each.status.state is State.AVAILABLE:
            served[each.name] = max(each.status.version, served.get(each.name, 0))
    return [each for each in listed if not _is_over(each, served.get(each.name))]


def _is_over(version: Version, served: int | None) -> bool:
    status = version.status
    if status.state is not State.END:
        return False
    return status.code is Code.OK or (served is not None and status.version < served)


class BatchMetrics:
    """Metrics of batching (a `batching.BatchObserver`)."""

    def __init__(self) -> None:
        name = f"{_SERVING}batching_session:"
        self._queuing = Histogram(
            f"{name}queuing_latency", ("thread_pool_name",), bounds=_QUEUING_LATENCIES
        )
        self._runs = Counter(f"{name}wrapped_run_count")
        self._padding = Histogram(
            f"{name}padding_size", ("execution_batch_size",), bounds=_BATCH_SIZES
        )
        self._input = Histogram(f"{name}input_batch_size", bounds=_BATCH_SIZES)
        self._processed = Histogram(f"{name}processed_batch_size", bounds=_BATCH_SIZES)

    @property
    def waits(self) -> Histogram:
        """Return the microseconds that requests waited, by the pool that ran them."""
        return self._queuing

    @property
    def sizes(self) -> Histogram:
        """Return the rows of batches, with their padding."""
        return self._processed

    @property
    def request_sizes(self) -> Histogram:
        """Return the rows of requests."""
        return self._input

    @property
    def paddings(self) -> Histogram:
        """Return the rows of padding of each batch, by the batch's size."""
        return self._padding

    def metrics(self) -> Sequence[Metric]:
        """Return all metrics."""
        return self._queuing, self._runs, self._padding, self._input, self._processed

    def queued(self, size: int, count: int = 1) -> None:
        """Count requests of `size` rows."""
        self._input.observe((), size, count)

    def ran(self, pool: str, waits: Iterable[float], size: int, padding: int) -> None:
        """Count a batch: its tasks' waits in seconds, its rows and padding."""
        self._queuing.observe_all((pool,), [seconds * _MICROS for seconds in waits])
        self._ran(size, padding)

    def ran_in_turn(self, pool: str, requests: int, size: int) -> None:
        """Count a batch whose tasks have not waited."""
        self._queuing.observe((pool,), 0.0, requests)
        self._ran(size, 0)

    def _ran(self, size: int, padding: int) -> None:
        self._runs.add()
        self._padding.observe((size + padding,), padding)
        self._processed.observe((), size + padding)


class GraphMetrics:
    """TensorFlow's metrics of graph runs (tensorflow/core/framework/metrics.cc).

    A run is a session's: a batch is one run, a request of several signatures several.
    """

    def __init__(self) -> None:
        name = f"{_CORE}graph_run_time_usecs"
        self._times = Histogram(f"{name}_histogram", bounds=_GRAPH_RUN_TIMES)
        self._count = Gauge(f"{_CORE}graph_runs", (), self._read_count, "counter")
        self._sum = Gauge(name, (), self._read_sum, "counter")

    def metrics(self) -> Sequence[Metric]:
        """Return all metrics."""
        return self._times, self._count, self._sum

    def ran(self, seconds: float) -> None:
        """Count a run (a `runtime.types.Ran`)."""
        self._times.observe((), seconds * _MICROS)

    def _read_count(self) -> Iterator[tuple[Labels, float]]:
        yield (), self._times.totals()[0]

    def _read_sum(self) -> Iterator[tuple[Labels, float]]:
        yield (), round(self._times.totals()[1])


class LoadMetrics:
    """Metrics of loads and warm-ups (a `warmup.WarmupObserver`)."""

    def __init__(self) -> None:
        self._attempts = Counter(f"{_SAVED_MODEL}load_attempt_count", ("model_path", "status"))
        self._load = Counter(f"{_SAVED_MODEL}load_latency", ("model_path",))
        self._warmup = Histogram(
            f"{_SERVING}model_warmup_latency", ("model_path", "status"), bounds=_LATENCIES
        )
        self._records = Counter(f"{_SERVING}model_warmup_records_read", ("model_path", "status"))

    def metrics(self) -> Sequence[Metric]:
        """Return all metrics."""
        return self._attempts, self._load, self._warmup, self._records

    def retain(self, paths: Container[Path | None]) -> None:
        """Drop the series of other paths."""
        for metric in (self._attempts, self._load, self._warmup, self._records):
            metric.retain(lambda labels: labels[0] in paths)

    def loaded(self, path: Path, seconds: float, *, succeeded: bool) -> None:
        """Count an attempt to load (tensorflow/cc/saved_model/loader.cc)."""
        self._attempts.add((path, "success" if succeeded else "fail"))
        self._load.add((path,), round(seconds * _MICROS))

    def warmed(self, path: Path, status: str, records: int, seconds: float) -> None:
        """Count a warm-up; `status` is OK or the error."""
        self._warmup.observe((path, status), seconds * _MICROS)
        self._records.add((path, status), records)
