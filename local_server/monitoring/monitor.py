"""The observers of a server: its metrics, if served, its request log, its recording."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.golden.recording import Recording

from ..batching import BatchedModel, BatchObserver
from ..config import ModelServerConfig
from ..inference.observation import Observer, together
from ..models import Manager
from ..protocols.middleware.metrics import CountedGrpc, MetricsApp
from ..runtime.types import Ran
from ..transport.grpc_types import GrpcApplication
from ..transport.types import Application
from ..warmup import WarmupObserver
from .instruments import Labels
from .log_options import RequestLogOptions
from .monitoring_config import MonitoringConfig
from .recording.recent import RecentRequests
from .recording.recorder import Recorder
from .recording.recorder import uncounted as unrecorded
from .request_log import RequestLog, uncounted
from .serving_metrics import ServingMetrics


class Monitor:
    """The observers and the middleware of a server, for the composition root."""

    def __init__(
        self,
        config: MonitoringConfig,
        log_options: RequestLogOptions | None = None,
        recording: Recording | None = None,
        *,
        counts: bool = False,
    ) -> None:
        """Open the file of a recording; raises UserError if that fails.

        With `counts`, requests are counted even if the metrics are not served.
        """
        self._path = config.path if config.is_enabled else ""
        self._metrics = ServingMetrics() if config.is_enabled or counts else None
        logged = self._metrics.logged if self._metrics else uncounted
        self._log = RequestLog(log_options or RequestLogOptions(), logged)
        recorded = self._metrics.recorded if self._metrics else unrecorded
        self._recorder = Recorder(recording, recorded) if recording else None

    @property
    def observer(self) -> Observer:
        """Return the observer of the data plane's requests."""
        counting = [self._metrics.observe] if self._metrics else []
        recording = [self._recorder.observe] if self._recorder else []
        return together(*counting, self._log.observe, *recording)

    @property
    def metrics(self) -> ServingMetrics | None:
        """Return the metrics; None if nothing is counted."""
        return self._metrics

    @property
    def path(self) -> str:
        """Return the path of the metrics page; "" if there is none."""
        return self._path

    @property
    def recent(self) -> RecentRequests | None:
        """Return the last recorded requests; None if nothing is recorded."""
        return self._recorder.recent if self._recorder else None

    @property
    def batches(self) -> BatchObserver | None:
        """Return the observer of batches."""
        return self._metrics.batches if self._metrics else None

    @property
    def ran(self) -> Ran | None:
        """Return the observer of graph runs."""
        return self._metrics.graphs.ran if self._metrics else None

    @property
    def loads(self) -> WarmupObserver | None:
        """Return the observer of loads and warm-ups."""
        return self._metrics.loads if self._metrics else None

    def http(self, app: Application) -> Application:
        """Return an application that also serves and counts metrics."""
        return MetricsApp(self._metrics, app, self._path) if self._metrics else app

    def grpc(self, app: GrpcApplication) -> GrpcApplication:
        """Return an application whose calls are counted."""
        return CountedGrpc(self._metrics, app) if self._metrics else app

    def configure(self, config: ModelServerConfig) -> None:
        """Log requests as the models are configured, and count the requests of these models."""
        if self._metrics:
            self._metrics.configure(model.name for model in config.models)
        self._log.configure(config.models)

    def close(self, seconds: float) -> None:
        """Write what is queued within `seconds` each, after the last request."""
        self._log.close(seconds)
        if self._recorder:
            self._recorder.close(seconds)

    def watch(self, manager: Manager) -> None:
        """Add metrics of the versions in memory and of their queued requests."""

        def waiting() -> Iterator[tuple[Labels, float]]:
            for each in manager.versions():
                if isinstance(each.model, BatchedModel):
                    yield (each.name, each.status.version), each.model.waiting

        if self._metrics:
            self._metrics.watch(manager.versions)
            self._metrics.watch_queues(waiting)
