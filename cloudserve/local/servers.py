"""The local servers as the command line sees them: their options and their entry functions.

The core does not import `cloudserve.local_server`. `registry.local_server` opens its module
`entry`, which has the functions of `LocalServer`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    # Starting a server needs none of them, and they take a tenth of its imports' time.
    from cloudserve.bench.result import Result
    from cloudserve.bench.settings import Load, Settings, TuneSettings
    from cloudserve.bench.tuning import Tuning
    from cloudserve.golden.recording import Recording
    from cloudserve.images.rehearsal import Rehearsal
    from cloudserve.local.interception import Interception
    from cloudserve.local.model_export import ExportReport, ExportRequest
    from cloudserve.local.model_repair import RepairReport, RepairRequest
    from cloudserve.local.model_run import RunRequest, RunResult
    from cloudserve.savedmodel.signature import Signature

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """The options of `cloudserve serve`."""

    name: str | None = None
    """The name of a single model; None uses its directory's."""
    host: str = "127.0.0.1"
    port: int = 0
    grpc_port: int | None = None
    """None serves REST only."""
    grpc_transport: str = "native"
    batching: bool = True
    """Whether concurrent requests run in batches."""
    batching_parameters: Path | None = None
    """A file with TensorFlow Serving's rules of batching; None batches by measured cost."""
    devices: str = ""
    deny_ops: str = "none"
    custom_op_libraries: str = ""
    drain_seconds: float = 10.0
    pretty_json: bool = False
    auth_token_file: Path | None = None
    ssl_config_file: Path | None = None
    request_log: Path | None = None
    request_log_rate: float = 1.0
    otel: bool = False
    recording: Recording | None = None
    container_routes: tuple[str, str] | None = None
    """The prediction and health routes of a container on Vertex AI, whose model never changes."""
    console: bool = True
    """Whether browsers get the console's page."""


@dataclass(frozen=True, slots=True)
class ContainerCommand:
    """The options of `cloudserve serve --as sagemaker`."""

    host: str = "127.0.0.1"
    port: int = 0
    image: str = ""
    """The URI or version of an image, which selects the behaviour of 2.19 or 2.20."""
    environment: Mapping[str, str] = field(default_factory=dict)
    install_requirements: bool = False
    deny_ops: str = "none"
    drain_seconds: float = 10.0
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class EmulateCommand:
    """The options of `cloudserve emulate`."""

    data: Path | None = None
    """The folder that keeps buckets and resources, for one emulator at a time; None: temporary."""
    host: str = "127.0.0.1"
    port: int = 0
    latency: str = "instant"
    """`instant`: operations take as long as the actual work; `realistic`: as long as in a cloud."""
    faults: Path | None = None
    """A file of injected faults."""
    auth: Literal["ignore", "strict"] = "ignore"
    """`strict` requires AWS requests to be signed with the emulator's key, and Google's, except
    those for Cloud Storage, to have a token of its service account."""
    install_requirements: bool = False
    """Whether the requirements of SageMaker models' code are installed, each in its own folder."""
    container_variables: Mapping[str, str] = field(default_factory=dict)
    """For that code, after the model's environment and before the emulator's own."""
    allow_hosts: Collection[str] = ()
    """Names that requests may be sent to, and that may send them, beside loopback ones."""
    deny_ops: str = "scan"
    """Models with one of these ops do not load."""
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict)
    """Commands that run in place of custom images, by image."""
    recording: Recording | None = None
    deny: Collection[str] = ()
    """Actions of AWS, such as `s3:GetObject`, and permissions of Google Cloud that callers lack."""
    policies: Sequence[Path] = ()
    """IAM policy documents of the caller on AWS; without any, it may do everything."""
    limits: Collection[str] = ()
    """The most instances of a type that SageMaker's endpoints of a region have, as `TYPE=N`."""
    console: bool = True
    """Whether browsers get the console's page."""
    project: Path | None = None
    """The project file whose models the console's page may promote and roll back."""
    intercept: bool = False
    """Whether a forward proxy answers under the hosts of the clouds."""


class Server(Protocol):
    """A server that runs in the foreground."""

    async def start(self) -> None:
        """Return once the server answers; raises UserError if the port is in use."""

    async def stop(self) -> None:
        """Finish the requests in flight, then close."""


class RunsModels(Server, Protocol):
    """A server that runs models in threads, which cannot be stopped."""

    @property
    def is_stuck(self) -> bool:
        """Whether a load or a run was still in progress when `stop` returned."""


class ContainerServer(RunsModels, Protocol):
    """A server that imitates a container."""

    @property
    def address(self) -> str:
        """Return the base URL; "" if REST is off or the server is not started."""


class ModelServer(ContainerServer, Protocol):
    """A server with TensorFlow Serving's APIs."""

    @property
    def console_url(self) -> str:
        """Return the URL of the console, with the token of its changes; "" if it is off."""

    @property
    def grpc_address(self) -> str:
        """Return the address of gRPC, host and port or a socket; "" if it is off."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the served models, sorted."""


class Emulator(RunsModels, Protocol):
    """The offline clouds."""

    @property
    def port(self) -> int:
        """Return the listening port; 0 before the start."""

    @property
    def console_url(self) -> str:
        """Return the URL of the console, with the token of its changes; "" if it is off."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables that point unmodified AWS and Google clients at the clouds."""

    def interception(self) -> Interception | None:
        """Return what came through the proxy until now; None without `intercept`."""


class LoadedModel(Protocol):
    """A SavedModel in this process; `run` may be called from many threads."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Return the signatures that requests can name."""

    def run(self, signature: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a signature on arrays by input; raises CloudserveError with TensorFlow's reason."""

    def close(self) -> None:
        """Release what the model holds."""


class Flags(Protocol):
    """A parsed command line of `cloudserve model-server`."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Return the texts on values that did not parse."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the arguments that are not flags."""

    @property
    def is_usable(self) -> bool:
        """Return whether the values can be used: not after an invalid value or --help."""

    def text(self, name: str) -> str:
        """Return a string flag."""

    def is_on(self, name: str) -> bool:
        """Return a bool flag."""


class LocalServer(Protocol):
    """The entry functions of the local server.

    Those that create a server start nothing, and raise MissingExtraError if packages are missing.
    """

    def model_server(self, path: Path | str, command: ServeCommand) -> ModelServer:
        """Create a server of the models below a path or in a bucket.

        Raises ModelError if there is no model, UserError or StatusError for invalid options.
        """

    def open_model(self, path: Path) -> LoadedModel:
        """Load a SavedModel directory into this process; raises ModelError."""

    def parse_flags(self, arguments: Sequence[str]) -> Flags:
        """Parse the flags of tensorflow_model_server."""

    def usage(self, program: str) -> str:
        """Return the help text of the flags."""

    def flagged_server(self, arguments: Sequence[str]) -> ModelServer:
        """Create a server from flags; raises StatusError for invalid values."""

    def container_server(self, tree: Path, command: ContainerCommand) -> ContainerServer:
        """Create a server that imitates SageMaker's container; raises ModelError."""

    def emulator(self, command: EmulateCommand) -> Emulator:
        """Create the offline clouds."""

    def warmup_file(self, requests: Iterable[tuple[str, bytes, str]], folder: Path) -> bytes:
        """Return a TFRecord file of JSON requests for the model in a directory.

        Each request has the place that an error names, and its method: `classify`, `regress` or "".
        Raises UserError if it does not fit.
        """

    def export(self, source: object, base: Path, request: ExportRequest) -> ExportReport:
        """Export a model, or the one of a file or of `MODULE:FUNCTION`, as a version.

        Raises UserError for another kind of source, ModelError if it does not load.
        """
        ...

    def repair(self, source: Path, target: Path, request: RepairRequest) -> RepairReport:
        """Write a repaired copy of the SavedModel in a directory.

        Raises UserError if there is nothing to repair, ModelError if it is not possible.
        """
        ...

    def run_once(self, folder: Path, request: RunRequest) -> RunResult:
        """Run a signature of the SavedModel in a directory once.

        Raises ModelError if it does not load, UserError for inputs that it refuses.
        """
        ...

    def bench(self, subject: str, load: Load, settings: Settings) -> Result:
        """Measure a server under load; see `cloudserve.bench.measure`."""

    def tune(self, path: Path, settings: TuneSettings, progress: Callable[[str], None]) -> Tuning:
        """Choose batching parameters; see `cloudserve.bench.tune`."""
        ...

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to completion on a new event loop."""
