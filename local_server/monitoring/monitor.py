"""What watches a server: its metrics, if they are served. What is off costs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..batching import BatchedModel, BatchObserver
from ..models import Manager
from ..observing import Observer, together
from ..transport.grpc_types import GrpcApplication
from ..transport.types import Application
from ..warmup import WarmupObserver
from .instruments import Labels
from .metrics_face import CountedGrpc, MetricsFace
from .monitoring_config import MonitoringConfig
from .serving_metrics import ServingMetrics


class Monitor:
    """The observers of a server and what stands before its faces, for the composition root."""

    def __init__(self, config: MonitoringConfig) -> None:
        self._path = config.path
        self._metrics = ServingMetrics() if config.is_enabled else None

    @property
    def observer(self) -> Observer:
        """Return who is told of the data plane's requests."""
        return together(*([self._metrics.observe] if self._metrics else []))

    @property
    def batches(self) -> BatchObserver | None:
        """Return who is told of batches."""
        return self._metrics.batches if self._metrics else None

    @property
    def loads(self) -> WarmupObserver | None:
        """Return who is told of loads and warm-ups."""
        return self._metrics.loads if self._metrics else None

    def http(self, face: Application) -> Application:
        """Return a face with the metrics before it."""
        return MetricsFace(self._metrics, face, self._path) if self._metrics else face

    def grpc(self, face: GrpcApplication) -> GrpcApplication:
        """Return a face whose calls are counted."""
        return CountedGrpc(self._metrics, face) if self._metrics else face

    def watch(self, manager: Manager) -> None:
        """Tell of the versions in memory and of the requests that wait for them too."""

        def waiting() -> Iterator[tuple[Labels, float]]:
            for each in manager.versions():
                if isinstance(each.model, BatchedModel):
                    yield (each.name, each.status.version), each.model.waiting

        if self._metrics:
            self._metrics.watch(manager.versions)
            self._metrics.watch_queues(waiting)
