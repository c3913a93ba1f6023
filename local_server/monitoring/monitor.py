"""What watches a server: its metrics, if they are served, and its log of requests."""

from __future__ import annotations

from collections.abc import Iterator

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
from .request_log import RequestLog, unheard
from .serving_metrics import ServingMetrics


class Monitor:
    """The observers of a server and what stands before its faces, for the composition root."""

    def __init__(
        self, config: MonitoringConfig, log_options: RequestLogOptions | None = None
    ) -> None:
        self._path = config.path
        self._metrics = ServingMetrics() if config.is_enabled else None
        logged = self._metrics.logged if self._metrics else unheard
        self._log = RequestLog(log_options or RequestLogOptions(), logged)

    @property
    def observer(self) -> Observer:
        """Return who is told of the data plane's requests."""
        counting = [self._metrics.observe] if self._metrics else []
        return together(*counting, self._log.observe)

    @property
    def batches(self) -> BatchObserver | None:
        """Return who is told of batches."""
        return self._metrics.batches if self._metrics else None

    @property
    def ran(self) -> Ran | None:
        """Return who is told of the runs of graphs."""
        return self._metrics.graphs.ran if self._metrics else None

    @property
    def loads(self) -> WarmupObserver | None:
        """Return who is told of loads and warm-ups."""
        return self._metrics.loads if self._metrics else None

    def http(self, face: Application) -> Application:
        """Return a face with the metrics before it."""
        return MetricsApp(self._metrics, face, self._path) if self._metrics else face

    def grpc(self, face: GrpcApplication) -> GrpcApplication:
        """Return a face whose calls are counted."""
        return CountedGrpc(self._metrics, face) if self._metrics else face

    def configure(self, config: ModelServerConfig) -> None:
        """Log requests as a configuration of models says, and count those for its models."""
        if self._metrics:
            self._metrics.configure(model.name for model in config.models)
        self._log.configure(config.models)

    def close(self, seconds: float) -> None:
        """Write what is to be logged within so many seconds, once there are no more requests."""
        self._log.close(seconds)

    def watch(self, manager: Manager) -> None:
        """Tell of the versions in memory and of the requests that wait for them too."""

        def waiting() -> Iterator[tuple[Labels, float]]:
            for each in manager.versions():
                if isinstance(each.model, BatchedModel):
                    yield (each.name, each.status.version), each.model.waiting

        if self._metrics:
            self._metrics.watch(manager.versions)
            self._metrics.watch_queues(waiting)
