"""Where metrics are served: TensorFlow Serving's `monitoring_config_file`.

Source: tensorflow_serving/config/monitoring_config.proto, which no package ships; tfserving.md 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import message_factory, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from ..config import parse_text_file
from ..status import Code, StatusError

DEFAULT_PATH = "/monitoring/prometheus/metrics"
"""`PrometheusExporter::kPrometheusPath`."""

_FILE = """
  name: "cloudserve/monitoring_config.proto" package: "tensorflow.serving" syntax: "proto3"
  message_type { name: "PrometheusConfig"
    field { name: "enable" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
    field { name: "path" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } }
  message_type { name: "MonitoringConfig"
    field { name: "prometheus_config" number: 1 label: LABEL_OPTIONAL
            type: TYPE_MESSAGE type_name: ".tensorflow.serving.PrometheusConfig" } }
"""


@dataclass(frozen=True, slots=True)
class MonitoringConfig:
    """Whether metrics are served, and on which path of the REST port."""

    is_enabled: bool = False
    path: str = DEFAULT_PATH


def read_monitoring_config(file: Path) -> MonitoringConfig:
    """Read a `MonitoringConfig` in text form.

    Raises StatusError: NOT_FOUND for a file that is not there, INVALID_ARGUMENT for one that is
    not such a message, or whose path no request could have.
    """
    given = parse_text_file(file, _message_class()).prometheus_config
    path = given.path or DEFAULT_PATH
    if not path.startswith("/") or "?" in path or not path.isascii():
        text = f"prometheus_config.path is to be an absolute path without a query, not {path!r}"
        raise StatusError(Code.INVALID_ARGUMENT, f"{file}: {text}")
    return MonitoringConfig(given.enable, path)


@cache
def _message_class() -> Any:
    pool = DescriptorPool()
    pool.Add(text_format.Parse(_FILE, FileDescriptorProto()))
    name = "tensorflow.serving.MonitoringConfig"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
