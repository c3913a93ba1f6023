"""How often metrics are published: values that only the API reference lists.

Source: `MetricsConfig` and `MetricsEndpoint`, MetricPublishFrequencyInSeconds. The text is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol.errors import invalid

_FREQUENCY = "MetricPublishFrequencyInSeconds"
_SECONDS = (10, 30, 60, 120, 180, 240, 300)


def check_metrics_frequency(config: Mapping[str, Any]) -> None:
    """Raise AwsError for a frequency in a MetricsConfig or a ContainerMetricsConfig."""
    for each in (config, *config.get("MetricsEndpoints", [])):
        if each.get(_FREQUENCY, _SECONDS[0]) not in _SECONDS:
            values = ", ".join(map(str, _SECONDS))
            raise invalid(f"{_FREQUENCY} is {each[_FREQUENCY]}; it must be one of {values}.")
