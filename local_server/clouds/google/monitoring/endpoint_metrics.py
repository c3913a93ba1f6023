"""The metrics that Vertex AI publishes for the predictions of an endpoint's deployed models.

`prediction_count` counts instances, the other counts are of requests ("Vertex AI metrics in Cloud
Monitoring"). `error_count` counts the responses that are not 2xx.
"""

from __future__ import annotations

from dataclasses import dataclass

from .descriptors import ERRORS, LATENCIES, PREDICTIONS, RESPONSES, Descriptor
from .store import MetricStore, Series

_MILLISECONDS = 1000.0
_HUNDRED, _OK = 100, 2


@dataclass(frozen=True, slots=True)
class Invoked:
    """One prediction of a deployed model."""

    project: str
    location: str
    endpoint: str
    endpoint_name: str
    """The display name of the endpoint."""
    deployed_model: str
    model_name: str
    """The display name of the model."""
    status: int
    instances: int
    """The instances of the request; 0 if it was refused."""
    model_seconds: float
    seconds: float
    """From the arrival of the request to its response."""


class EndpointMetrics:
    """Publishes predictions."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def publish(self, invoked: Invoked) -> None:
        """Add a prediction to the metrics of its deployed model."""
        kind = invoked.status // _HUNDRED
        project = invoked.project
        code = {"response_code": f"{kind}xx"}
        self._store.count(project, _series(RESPONSES, invoked, code))
        if kind != _OK:
            self._store.count(project, _series(ERRORS, invoked))
        if invoked.instances:
            self._store.count(project, _series(PREDICTIONS, invoked), invoked.instances)
        latencies = {
            "total": invoked.seconds,
            "model": invoked.model_seconds,
            "overhead": max(0.0, invoked.seconds - invoked.model_seconds),
        }
        for kind_of, seconds in latencies.items():
            series = _series(LATENCIES, invoked, {"latency_type": kind_of})
            self._store.observe(project, series, seconds * _MILLISECONDS)


def _series(descriptor: Descriptor, invoked: Invoked, more: dict[str, str] | None = None) -> Series:
    labels = {
        "deployed_model_id": invoked.deployed_model,
        "spot": "False",
        "model_display_name": invoked.model_name,
        "endpoint_display_name": invoked.endpoint_name,
    }
    resource = {
        "resource_container": invoked.project,
        "location": invoked.location,
        "endpoint_id": invoked.endpoint,
    }
    return Series(
        descriptor, tuple(sorted((labels | (more or {})).items())), tuple(resource.items())
    )
