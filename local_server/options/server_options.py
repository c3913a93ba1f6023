"""The resolved options of a model server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from cloudserve.golden.recording import Recording

from ..codecs.limits import DEFAULT_LIMITS, JsonLimits
from ..config import ModelServerConfig
from ..models import Retry
from ..monitoring.log_options import RequestLogOptions
from ..protocols.vertex.container import ContainerRoutes
from ..runtime.options import FileOptions, SessionOptions


class Startup(Enum):
    """The condition for opening the ports."""

    EVERY = "every model has an available version; one that fails ends the start"
    SOME = "every model has loaded or failed, and one at least is available"
    AT_ONCE = "before the models are loaded"


class GrpcTransport(Enum):
    """The HTTP/2 implementation that serves gRPC."""

    NATIVE = "native"
    """This project's HTTP/2."""
    GRPCIO = "grpcio"


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on; port 0 selects a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class BatchingOptions:
    """The configuration of batching, by TensorFlow Serving's rules unless `by_costs`."""

    parameters_file: Path | None = None
    per_model: bool = False
    by_costs: bool = False
    """Whether the server batches where its measurements show that it pays."""


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """The gRPC server."""

    address: Address | None
    socket_path: Path | None = None
    ssl_config_file: Path | None = None
    health: bool = False
    tensor_content: bool = False
    transport: GrpcTransport = GrpcTransport.NATIVE
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestOptions:
    """The REST server."""

    address: Address
    seconds: float | None = None
    """The timeout of a request; None is unlimited."""
    cors: bool = False
    ssl_config_file: Path | None = None
    pretty: bool = False
    """Whether JSON is formatted as by TensorFlow Serving."""
    container: ContainerRoutes | None = None
    """The routes of a container on Vertex AI, which are served too."""
    limits: JsonLimits = DEFAULT_LIMITS
    """The limits of a JSON body."""
    openapi: bool = False
    """Whether `/openapi.json` describes the models; TensorFlow Serving has no such path."""
    console: bool = False
    """Whether browsers get the console's page at `/`, and its data."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """All options of a model server; times in seconds."""

    config: ModelServerConfig = field(default_factory=ModelServerConfig)
    config_file: Path | None = None
    """The source of the configuration; without it, `config` is used."""
    config_poll_seconds: float = 0.0
    """The interval of reading the file again; 0 reads it once."""
    rest: RestOptions | None = None
    grpc: GrpcOptions | None = None
    startup: Startup = Startup.EVERY
    poll_seconds: float = 1.0
    """The interval of reading base paths; 0 reads them once, a negative one never."""
    retry: Retry = field(default_factory=Retry)
    tags: tuple[str, ...] = ("serve",)
    load_threads: int | None = None
    request_threads: int | None = None
    labels_may_wait: bool = False
    check_methods: bool = False
    batching: BatchingOptions | None = None
    session: SessionOptions = field(default_factory=SessionOptions)
    files: FileOptions = field(default_factory=FileOptions)
    """Whether TensorFlow Lite and ONNX files are served."""
    warmup_iterations: int = 1
    """How often each warm-up record runs before a version is served; 0 disables it."""
    monitoring_config_file: Path | None = None
    """The configuration of the metrics; without it, `metrics_path` is used."""
    metrics_path: str | None = None
    """The path of the metrics page; None disables it."""
    request_log: RequestLogOptions = field(default_factory=RequestLogOptions)
    recording: Recording | None = None
    """What is recorded in golden files; None records nothing."""
    otel: bool = False
    """Whether requests are traced by OpenTelemetry, as its variables say."""
    auth_token_file: Path | None = None
    """The bearer tokens of which each request needs one; None disables authentication."""
    drain_seconds: float = 10.0
    reload_seconds: float | None = 300.0
