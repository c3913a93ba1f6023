"""The descriptors of the metrics that are kept offline, and the names of those that are not.

Source: "Google Cloud metrics", aiplatform, prediction/online: kinds, types, units, labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...resources import Document

PREFIX = "aiplatform.googleapis.com/prediction/online/"
ENDPOINT = "aiplatform.googleapis.com/Endpoint"
INT64, DISTRIBUTION, DOUBLE = "INT64", "DISTRIBUTION", "DOUBLE"
DELTA, GAUGE = "DELTA", "GAUGE"
_ALWAYS = ("deployed_model_id", "spot", "model_display_name", "endpoint_display_name")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A kind of metric. All of them are deltas, for each minute."""

    name: str
    display_name: str
    description: str
    value_type: str = INT64
    unit: str = "1"
    label: str = ""
    """The label beside those of all metrics."""

    @property
    def type(self) -> str:
        """Return the metric's type, such as `aiplatform.googleapis.com/…/response_count`."""
        return f"{PREFIX}{self.name}"

    def document(self, project: str) -> Document:
        """Return the JSON of the API."""
        labels = (*_ALWAYS, self.label) if self.label else _ALWAYS
        return {
            "name": f"projects/{project}/metricDescriptors/{self.type}",
            "type": self.type,
            "metricKind": DELTA,
            "valueType": self.value_type,
            "unit": self.unit,
            "displayName": self.display_name,
            "description": self.description,
            "launchStage": "BETA",
            "labels": [{"key": key} for key in labels],
            "monitoredResourceTypes": [ENDPOINT],
            "metadata": {"launchStage": "BETA", "samplePeriod": "60s"},
        }


PREDICTIONS = Descriptor("prediction_count", "Prediction count", "Number of online predictions.")
ERRORS = Descriptor("error_count", "Error count", "Number of online prediction errors.")
RESPONSES = Descriptor(
    "response_count",
    "Response count",
    "Number of different online prediction response codes.",
    label="response_code",
)
LATENCIES = Descriptor(
    "prediction_latencies",
    "Prediction Latencies",
    "Online prediction latency of the deployed model.",
    DISTRIBUTION,
    "ms",
    "latency_type",
)
DESCRIPTORS = {each.type: each for each in (PREDICTIONS, ERRORS, RESPONSES, LATENCIES)}
"""The metrics that are kept, by type."""
UNAVAILABLE = frozenset(
    PREFIX + name
    for name in (
        *("accelerator/duty_cycle", "accelerator/memory/bytes_used", "cpu/utilization"),
        *("machine_count", "memory/bytes_used", "network/received_bytes_count"),
        *("network/sent_bytes_count", "private/prediction_latencies", "private/response_count"),
        *("replicas", "target_replicas"),
    )
)
"""Metrics of Vertex AI's endpoints that are not kept offline."""
