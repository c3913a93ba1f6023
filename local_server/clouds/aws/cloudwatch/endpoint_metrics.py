"""The metrics that SageMaker publishes for the invocations of an endpoint's variants.

Names, units and values are those of "Amazon SageMaker AI metrics in Amazon CloudWatch", endpoint
invocation metrics. Each invocation sends 1 or 0 to the error metrics, so that their SampleCount is
the number of invocations. Asynchronous endpoints publish neither Invocations nor OverheadLatency
("Alarms and logs for tracking metrics from asynchronous endpoints").

The metrics of an inference component have its name as their only dimension. One that has no copies
counts NoCapacityInvocationFailures ("Scale an endpoint to zero instances").
"""

from __future__ import annotations

from dataclasses import dataclass

from .metric_store import Metric, MetricStore, sorted_dimensions

NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1e6
_CLIENT_ERROR, _SERVER_ERROR, _OK = 4, 5, 2
_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Invoked:
    """One invocation of a variant."""

    region: str
    endpoint: str
    variant: str
    status: int
    """The container's HTTP status; 0 if it gave no answer."""
    model_seconds: float
    overhead_seconds: float | None
    """The time that SageMaker added; None if it is not published."""
    instances: int
    """The instances of the variant; 0 if it is serverless."""
    is_async: bool = False
    component: str = ""
    """The inference component that answered, if there is one."""
    copies: int = 0

    @property
    def dimensions(self) -> dict[str, str]:
        """Return the dimensions of the metrics."""
        if self.component:
            return {"InferenceComponentName": self.component}
        return {"EndpointName": self.endpoint, "VariantName": self.variant}


class EndpointMetrics:
    """Publishes invocations."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def publish(self, invoked: Invoked) -> None:
        """Add an invocation to the metrics of its variant."""
        kind = invoked.status // _HUNDRED
        values = {
            "Invocation4XXErrors": float(kind == _CLIENT_ERROR),
            "Invocation5XXErrors": float(kind == _SERVER_ERROR),
            "InvocationModelErrors": float(kind != _OK),
        }
        if not invoked.is_async:
            values["Invocations"] = 1.0
            if invoked.component:
                values["InvocationsPerCopy"] = 1.0 / max(invoked.copies, 1)
            elif invoked.instances:
                values["InvocationsPerInstance"] = 1.0 / invoked.instances
        for name, value in values.items():
            self._add(invoked, name, value, "None")
        self._add(invoked, "ModelLatency", invoked.model_seconds * _MICROSECONDS, "Microseconds")
        if invoked.overhead_seconds is not None and not invoked.is_async:
            overhead = invoked.overhead_seconds * _MICROSECONDS
            self._add(invoked, "OverheadLatency", overhead, "Microseconds")

    def _add(self, invoked: Invoked, name: str, value: float, unit: str) -> None:
        self._add_to(invoked.region, invoked.dimensions, name, value, unit)

    def publish_no_capacity(self, region: str, component: str) -> None:
        """Count an invocation of a component without copies."""
        where = {"InferenceComponentName": component}
        self._add_to(region, where, "NoCapacityInvocationFailures", 1.0, "None")

    def _add_to(
        self, region: str, where: dict[str, str], name: str, value: float, unit: str
    ) -> None:
        metric = Metric(region, NAMESPACE, name, sorted_dimensions(where))
        self._store.sample(metric, unit).add(value)
