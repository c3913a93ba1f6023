"""TensorFlow Serving's `monitoring_config_file`: the path of the metrics.

Source: tensorflow_serving/config/monitoring_config.proto, which no package ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.protos import Message, declare, message_class

from ..config import parse_text_file
from ..status import Code, StatusError

DEFAULT_PATH = "/monitoring/prometheus/metrics"
"""`PrometheusExporter::kPrometheusPath`."""

_PACKAGE = "tensorflow.serving"
_MESSAGES = {
    "PrometheusConfig": ("bool enable = 1", "string path = 2"),
    "MonitoringConfig": ("PrometheusConfig prometheus_config = 1",),
}


@dataclass(frozen=True, slots=True)
class MonitoringConfig:
    """Whether metrics are served, and on which path of the REST port."""

    is_enabled: bool = False
    path: str = DEFAULT_PATH


def read_monitoring_config(file: Path) -> MonitoringConfig:
    """Read a `MonitoringConfig` in text form.

    Raises StatusError: NOT_FOUND if the file does not exist, INVALID_ARGUMENT if it is not such a
    message or its path is invalid.
    """
    config = parse_text_file(file, _message_class()).prometheus_config
    path = config.path or DEFAULT_PATH
    if not path.startswith("/") or "?" in path or not path.isascii():
        text = f"prometheus_config.path must be an absolute path without a query, not {path!r}"
        raise StatusError(Code.INVALID_ARGUMENT, f"{file}: {text}")
    return MonitoringConfig(config.enable, path)


@cache
def _message_class() -> Message:
    pool = DescriptorPool()
    declare(pool, _PACKAGE, _MESSAGES)
    return message_class(pool, f"{_PACKAGE}.MonitoringConfig")
