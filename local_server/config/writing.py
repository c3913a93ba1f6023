"""A configuration as a `ModelServerConfig` message in text form: what a file or a reload has."""

from __future__ import annotations

from google.protobuf import text_format

from ..messages import Message
from .model_config import (
    All,
    LoggingConfig,
    ModelConfig,
    ModelServerConfig,
    Specific,
    VersionPolicy,
    model_server_config,
)


def to_text(config: ModelServerConfig) -> str:
    """Write a configuration as text that `read_config` reads as the same one."""
    message = model_server_config()()
    message.model_config_list.SetInParent()
    for model in config.models:
        _write_model(model, message.model_config_list.config.add())
    return str(text_format.MessageToString(message, as_utf8=True))


def _write_model(model: ModelConfig, message: Message) -> None:
    message.name = model.name
    message.base_path = model.base_path
    message.model_platform = model.platform
    _write_policy(model.policy, message.model_version_policy)
    for label, version in model.labels.items():
        message.version_labels[label] = version
    if model.logging is not None:
        _write_logging(model.logging, message.logging_config)


def _write_policy(policy: VersionPolicy, message: Message) -> None:
    match policy:
        case All():
            message.all.SetInParent()
        case Specific(versions):
            message.specific.SetInParent()
            message.specific.versions.extend(sorted(versions))
        case _:
            message.latest.num_versions = getattr(policy, "count", 1)


def _write_logging(logging: LoggingConfig, message: Message) -> None:
    message.log_collector_config.filename_prefix = logging.filename_prefix
    message.sampling_config.sampling_rate = logging.sampling_rate
