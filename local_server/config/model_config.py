"""The types of a ModelServerConfig, checked with TensorFlow Serving's texts.

Source: tensorflow_serving/model_servers/server_core.cc (`ValidateModelConfigList` and what follows
it). One invalid model makes the whole configuration invalid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ..messages import Message, message_class
from ..reloaded_file import Stamp, file_stamp
from ..status import Code, StatusError
from .textproto import parse_text_file


class VersionPolicy(Protocol):
    """Chooses among the existing versions."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the versions to serve, a subset of `versions`."""
        ...


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions; 0 means 1, as in the protocol."""

    count: int = 1

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the highest versions."""
        return frozenset(sorted(versions, reverse=True)[: self.count or 1])


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return all versions."""
        return frozenset(versions)


@dataclass(frozen=True, slots=True)
class Specific:
    """The named versions, if they exist."""

    versions: frozenset[int]

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the named versions that exist."""
        return self.versions.intersection(versions)


TENSORFLOW = "tensorflow"
_URI = "://"
SCHEMES = ("gs://", "s3://")
"""The URL schemes of base paths in buckets."""
_FILE = "file://"
_NO_TYPE, _TENSORFLOW_TYPE = 0, 1
_NO_TRANSITION = (
    "Cannot transition to requested config. It is only legal to transition from one "
    "ModelConfigList to another."
)
_LOG_COLLECTORS = frozenset({"", "file"})


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """The log of a model's requests; the sampling rate is 0 for none, 1 for all."""

    filename_prefix: str
    sampling_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model to serve: its base path, version policy and labels."""

    name: str
    base_path: str
    platform: str = TENSORFLOW
    policy: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)
    logging: LoggingConfig | None = None

    @property
    def folder(self) -> Path | None:
        """Return the base path as a local folder; None if it is in a bucket.

        `file:///PATH` is /PATH, without any decoding, as in TensorFlow (`ParseURI`).
        """
        path = self.base_path.removeprefix(_FILE)
        return None if _URI in path else Path(path)


@dataclass(frozen=True, slots=True)
class ModelServerConfig:
    """The models to serve, in the order of the configuration."""

    models: tuple[ModelConfig, ...] = ()
    is_given: bool = True
    """False for a message without any list, such as a temporarily empty file: a server may start
    with it, but does not unload its models for it."""

    def check(self, previous: ModelServerConfig | None = None) -> None:
        """Raise StatusError if a server cannot apply this configuration.

        `previous` is the configuration to replace. The code is INVALID_ARGUMENT, or
        FAILED_PRECONDITION if `previous` does not allow it.
        """
        if previous and previous.is_given and not self.is_given:
            raise StatusError(Code.FAILED_PRECONDITION, _NO_TRANSITION)
        counts = Counter(model.name for model in self.models)
        for model in self.models:
            _require(
                counts[model.name] == 1,
                f"Illegal to list model {model.name} multiple times in config list",
            )
            _check_base_path(model)
        for model in self.models:
            _check_platform(model, previous.model(model.name) if previous else None)

    def model(self, name: str) -> ModelConfig | None:
        """Return the model of this name."""
        return next((model for model in self.models if model.name == name), None)


def model_server_config() -> Message:
    """Return the message class `ModelServerConfig`."""
    return message_class("tensorflow.serving.ModelServerConfig")


def read_config(message: Message) -> ModelServerConfig:
    """Read a `ModelServerConfig` message, which may also come from the generated package.

    Raises StatusError: INVALID_ARGUMENT for a contradiction, UNIMPLEMENTED for a custom
    configuration. `check` does the checks that depend on the server.
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
        f"The sampling_rate of model {message.name} must be between 0 and 1; got {rate:g}",
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


def _check_platform(model: ModelConfig, previous: ModelConfig | None) -> None:
    _require(
        previous is None or previous.platform == model.platform,
        f"Illegal to change a model's platform. For model {model.name} platform was "
        f"{previous.platform if previous else ''} and new platform requested is {model.platform}",
    )
    _require(
        model.platform == TENSORFLOW,
        f"Model {model.name} requests unsupported platform {model.platform}",
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise StatusError(Code.INVALID_ARGUMENT, message)


class ConfigFile:
    """A `ModelServerConfig` in text form. For one thread at a time.

    An invalid file is parsed and its error logged once per change of the file; the error is raised
    by each read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._read: ModelServerConfig | StatusError = ModelServerConfig(is_given=False)

    def read(self) -> ModelServerConfig:
        """Return the configuration; raises as `parse_text_file` and `read_config` do."""
        stamp = file_stamp(self._path)
        if stamp != self._stamp:
            self._read = self._parse()
            self._stamp = stamp
        if isinstance(self._read, StatusError):
            # Without the frames of earlier raises, which would accumulate.
            raise self._read.with_traceback(None)
        return self._read

    def _parse(self) -> ModelServerConfig | StatusError:
        try:
            return read_config(parse_text_file(self._path, model_server_config()))
        except StatusError as error:
            return error
