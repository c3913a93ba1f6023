"""The composition of a model server's parts from its options."""

from __future__ import annotations

import logging
from functools import partial
from typing import Protocol

from cloudserve.storage import versions

from .batching.loader import batched, self_batched
from .batching.parameters import BatchingParameters, default_parameters, read_parameters
from .console.app import ConsoleApi, ServerSites
from .console.model_changes import ModelChanges
from .console.server_view import ServerParts, ServerView
from .models import FileSystemSource, Lifecycle, Loader, Manager, ServerCore
from .models.core import Configured
from .models.discovery import find_versions, find_versions_or_model
from .models.remote import RemoteBases
from .monitoring.monitor import Monitor
from .monitoring.monitoring_config import MonitoringConfig, read_monitoring_config
from .options.server_options import BatchingOptions, GrpcTransport, ServerOptions, Startup
from .runtime.model_files import model_loader
from .transport.grpc_options import GrpcServerOptions
from .transport.grpc_types import GrpcApplication
from .transport.types import Application
from .warmup import measured, warmed

logger = logging.getLogger(__name__)


class GrpcServing(Protocol):
    """A gRPC server over either transport."""

    @property
    def port(self) -> int:
        """Return the port, or 0 if the server does not listen on TCP."""
        ...

    @property
    def address(self) -> str:
        """Return "host:port"."""
        ...

    async def start(self) -> None:
        """Listen. Raises UserError if the address cannot be bound."""
        ...

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Refuse new calls, let those in flight finish, and cancel them after `drain_seconds`."""
        ...


def make_grpc_server(
    transport: GrpcTransport,
    app: GrpcApplication,
    host: str,
    port: int | None,
    options: GrpcServerOptions,
) -> GrpcServing:
    """Return a server over the selected transport; only its libraries are imported."""
    logger.info("gRPC is served by the %s transport", transport.value)
    if transport is GrpcTransport.NATIVE:
        from .transport.grpc_http2.server import NativeGrpcServer

        return NativeGrpcServer(app, host, port, options)
    from .transport.grpc.server import GrpcServer

    return GrpcServer(app, host, port, options)


def make_monitor(options: ServerOptions) -> Monitor:
    """Return the observers of a server.

    Raises StatusError if its configuration cannot be read, UserError if the file of a recording
    cannot be opened.
    """
    file, path = options.monitoring_config_file, options.metrics_path
    if file:
        config = read_monitoring_config(file)
    else:
        config = MonitoringConfig(is_enabled=True, path=path) if path else MonitoringConfig()
    counts = bool(options.rest and options.rest.console)
    return Monitor(config, options.request_log, options.recording, counts=counts)


def make_console(
    options: ServerOptions, parts: ServerParts, app: Application, token: str
) -> ConsoleApi:
    """Return the console of a server in front of its REST application; changes need the token."""
    assert options.rest is not None
    batching = options.batching
    rule = "off" if batching is None else "by costs" if batching.by_costs else "by parameters"
    kind = "model-server" if options.startup is not Startup.SOME else "serve"
    view = ServerView(parts, kind=kind, batching=rule, has_docs=options.rest.openapi)
    sites, changes = ServerSites(options.rest.address.host), parts.changes.changes()
    return ConsoleApi(view, app, sites, token=token, changes=changes)


def make_changes(options: ServerOptions, core: ServerCore) -> ModelChanges:
    """Return the changes that the console makes of a core's models."""
    is_followed = options.config_poll_seconds > 0
    return ModelChanges(core, options.config_file if is_followed else None)


def make_loader(
    options: ServerOptions, load: Loader | None = None, monitor: Monitor | None = None
) -> Loader:
    """Return the loader that the options describe; `load` replaces the loader of SavedModels.

    Raises StatusError for invalid batching parameters or session configuration.
    """
    ran = monitor.ran if monitor else None
    load = load or model_loader(options.tags, options.session, options.files, ran)
    loads, batches = (monitor.loads, monitor.batches) if monitor else (None, None)
    if loads:
        load = measured(load, loads)
    batching = options.batching
    if batching and batching.by_costs:
        load = self_batched(load, batches)
    elif batching:
        parameters = _read_parameters(batching)
        load = batched(load, parameters, per_model=batching.per_model, observer=batches)
    # Through the queues, so that they are warm too.
    return warmed(load, options.warmup_iterations, loads) if options.warmup_iterations else load


def _read_parameters(options: BatchingOptions) -> BatchingParameters:
    file = options.parameters_file
    return read_parameters(file) if file else default_parameters()


def make_core(
    options: ServerOptions, manager: Manager, configured: Configured | None = None
) -> ServerCore:
    """Return the core that applies configurations to a manager.

    A strict server reads base paths as TensorFlow Serving does. Any other also accepts a
    SavedModel's folder as a base path, and continues if a base path is missing. `configured` is
    called with each configuration that is applied.
    """
    is_strict = options.startup is Startup.EVERY
    discover = find_versions if is_strict else find_versions_or_model
    in_bucket = versions.find_versions if is_strict else versions.find_versions_or_model
    remote = RemoteBases(find=partial(in_bucket, suffixes=options.files.suffixes))
    lifecycle = Lifecycle(manager, options.retry)
    source = FileSystemSource(
        lifecycle.aspire, discover, independent=not is_strict, remote=remote.find
    )
    return ServerCore(
        manager,
        lifecycle,
        source,
        labels_may_wait=options.labels_may_wait,
        configured=configured,
    )
