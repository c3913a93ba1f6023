"""What a model server is started with, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..codecs.limits import DEFAULT_LIMITS, JsonLimits
from ..config import ModelServerConfig
from ..models import Retry
from ..monitoring.log_options import RequestLogOptions
from ..protocols.vertex.container import ContainerRoutes
from ..runtime.options import SessionOptions


class Startup(Enum):
    """When the ports open."""

    EVERY = "every model has an available version; one that fails ends the start"
    SOME = "every model has loaded or failed, and one at least is available"
    AT_ONCE = "before the models are loaded"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 picks a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class BatchingOptions:
    """How requests are put together."""

    parameters_file: Path | None = None
    per_model: bool = False


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """Where and how gRPC is served."""

    address: Address | None
    socket_path: Path | None = None
    ssl_config_file: Path | None = None
    health: bool = False
    tensor_content: bool = False
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestOptions:
    """Where and how REST is served."""

    address: Address
    seconds: float | None = None
    """How long a request may run; None for ever."""
    cors: bool = False
    ssl_config_file: Path | None = None
    pretty: bool = False
    """Whether answers are laid out as TensorFlow Serving lays them out."""
    container: ContainerRoutes | None = None
    """The routes of a container on Vertex AI, which are answered too."""
    limits: JsonLimits = DEFAULT_LIMITS
    """What a body may take."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Everything a model server needs to know; times in seconds."""

    config: ModelServerConfig = field(default_factory=ModelServerConfig)
    config_file: Path | None = None
    """Where the configuration is read from; `config` counts where there is none."""
    config_poll_seconds: float = 0.0
    """How often the file is read again; 0 for once."""
    rest: RestOptions | None = None
    grpc: GrpcOptions | None = None
    startup: Startup = Startup.EVERY
    poll_seconds: float = 1.0
    """How often base paths are read; 0 for once, negative for never."""
    retry: Retry = field(default_factory=Retry)
    tags: tuple[str, ...] = ("serve",)
    load_threads: int | None = None
    request_threads: int | None = None
    labels_may_wait: bool = False
    check_methods: bool = False
    batching: BatchingOptions | None = None
    session: SessionOptions = field(default_factory=SessionOptions)
    warmup_iterations: int = 1
    """How often each record beside a version is run before it is served; 0 for never."""
    monitoring_config_file: Path | None = None
    """Whether and where metrics are served; where there is no file `metrics_path` counts."""
    metrics_path: str | None = None
    """Where metrics are served; None for nowhere."""
    request_log: RequestLogOptions = field(default_factory=RequestLogOptions)
    auth_token_file: Path | None = None
    """The tokens one of which every request has to show; None for nothing of the kind."""
    drain_seconds: float = 10.0
    reload_seconds: float | None = 300.0
