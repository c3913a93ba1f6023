"""ModelServerConfig as a noun, checked in TensorFlow Serving's words.

Source: tensorflow_serving/model_servers/server_core.cc (`ValidateModelConfigList` and what follows
it); tfserving.md 4.1. A configuration is valid as a whole or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cloudserve.protos import Message

from ..status import Code, StatusError
from .policy import All, Latest, Specific, VersionPolicy

TENSORFLOW = "tensorflow"
_URI = "://"
SCHEMES = ("gs://", "s3://")
"""The buckets that base paths may lie in."""
_FILE = "file://"
_NO_TYPE, _TENSORFLOW_TYPE = 0, 1
_NO_TRANSITION = (
    "Cannot transition to requested config. It is only legal to transition from one "
    "ModelConfigList to another."
)
_LOG_COLLECTORS = frozenset({"", "file"})


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Where a model's requests are logged, and which part of them: 0 for none, 1 for all."""

    filename_prefix: str
    sampling_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model to serve: from which folder, which of its versions, under which labels."""

    name: str
    base_path: str
    platform: str = TENSORFLOW
    policy: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)
    logging: LoggingConfig | None = None

    @property
    def folder(self) -> Path | None:
        """Return the base path as a folder of this machine; None for one in a bucket.

        Of `file:///PATH` it is /PATH, without any decoding, as in TensorFlow (`ParseURI`).
        """
        path = self.base_path.removeprefix(_FILE)
        return None if _URI in path else Path(path)


@dataclass(frozen=True, slots=True)
class ModelServerConfig:
    """The models to serve, in the order of the configuration."""

    models: tuple[ModelConfig, ...] = ()
    is_given: bool = True
    """False for a message without any list, such as a file that is empty for a moment: a server may
    begin with it, but does not give up its models for it."""

    def check(self, before: ModelServerConfig | None = None) -> None:
        """Raise StatusError when a server cannot take this configuration.

        `before` is the configuration it would replace. The code is INVALID_ARGUMENT, and
        FAILED_PRECONDITION where it is `before` that does not allow it.
        """
        if before and before.is_given and not self.is_given:
            raise StatusError(Code.FAILED_PRECONDITION, _NO_TRANSITION)
        counts = Counter(model.name for model in self.models)
        for model in self.models:
            _require(
                counts[model.name] == 1,
                f"Illegal to list model {model.name} multiple times in config list",
            )
            _check_base_path(model)
        for model in self.models:
            _check_platform(model, before.model(model.name) if before else None)

    def model(self, name: str) -> ModelConfig | None:
        """Return the model of this name."""
        return next((model for model in self.models if model.name == name), None)


def read_config(message: Message) -> ModelServerConfig:
    """Read a `ModelServerConfig` message, which may also come from the generated package.

    Raises StatusError: INVALID_ARGUMENT for a contradiction, UNIMPLEMENTED for a custom
    configuration. What only a server can tell is left to `check`.
    """
    kind = message.WhichOneof("config")
    if kind == "custom_model_config":
        raise StatusError(Code.UNIMPLEMENTED, "custom_model_config is not served; list the models")
    models = tuple(map(_read_model, message.model_config_list.config))
    return ModelServerConfig(models, is_given=kind is not None)


def _read_model(message: Message) -> ModelConfig:
    return ModelConfig(
        name=message.name,
        base_path=message.base_path,
        platform=_platform(message),
        policy=_policy(message.model_version_policy),
        labels=MappingProxyType(dict(message.version_labels)),
        logging=_logging(message) if message.HasField("logging_config") else None,
    )


def _logging(message: Message) -> LoggingConfig:
    """Read a `LoggingConfig`, which the stock server refuses: it has no logger."""
    collector = message.logging_config.log_collector_config
    rate = message.logging_config.sampling_config.sampling_rate
    if message.logging_config.HasField("custom_logging_config"):
        text = f"The custom_logging_config of model {message.name} is not served"
        raise StatusError(Code.UNIMPLEMENTED, text)
    if collector.type not in _LOG_COLLECTORS:
        text = f"Cannot find LogCollector::Factory for type: {collector.type}"
        raise StatusError(Code.NOT_FOUND, text)
    _require(
        collector.filename_prefix.startswith("/"),
        f"The log_collector_config of model {message.name} needs a filename_prefix that is an "
        f"absolute path; got {collector.filename_prefix!r}",
    )
    _require(
        0 <= rate <= 1,
        f"The sampling_rate of model {message.name} is to be between 0 and 1; got {rate:g}",
    )
    return LoggingConfig(collector.filename_prefix, rate)


def _platform(message: Message) -> str:
    has_type = message.model_type != _NO_TYPE
    both = "ModelServerConfig::model_type (deprecated)"
    _require(
        not (has_type and message.model_platform),
        f"Illegal setting both {both} and ModelServerConfig::model_platform, "
        f"model name is {message.name}",
    )
    _require(
        has_type or bool(message.model_platform),
        f"Illegal setting neither {both} nor ModelServerConfig::model_platform, "
        f"model name is {message.name}",
    )
    if not has_type:
        return str(message.model_platform)
    _require(
        message.model_type == _TENSORFLOW_TYPE,
        f"ModelServerConfig::model_type choice {message.model_type} not supported.",
    )
    return TENSORFLOW


def _policy(message: Message) -> VersionPolicy:
    match message.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(message.specific.versions))
        case _:
            return Latest(message.latest.num_versions or 1)


def _check_base_path(model: ModelConfig) -> None:
    _require(
        model.base_path.startswith("/") or _URI in model.base_path,
        f"Expected model {model.name} to have an absolute path or URI; "
        f"got base_path()={model.base_path}",
    )
    _require(
        model.base_path.startswith(("/", f"{_FILE}/", *SCHEMES)),
        f"Model {model.name} has the base path {model.base_path}; "
        "served are folders of this machine (/ and file:///), gs:// and s3://",
    )


def _check_platform(model: ModelConfig, before: ModelConfig | None) -> None:
    _require(
        before is None or before.platform == model.platform,
        f"Illegal to change a model's platform. For model {model.name} platform was "
        f"{before.platform if before else ''} and new platform requested is {model.platform}",
    )
    _require(
        model.platform == TENSORFLOW,
        f"Model {model.name} requests unsupported platform {model.platform}",
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise StatusError(Code.INVALID_ARGUMENT, message)
