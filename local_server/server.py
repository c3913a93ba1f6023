"""The model server of `cloudserve serve` and `cloudserve model-server`.

The composition root. Components start in TensorFlow Serving's order, configuration, models, gRPC,
REST, and stop in reverse, within a deadline.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .assembly import (
    GrpcServing,
    make_changes,
    make_console,
    make_core,
    make_grpc_server,
    make_loader,
    make_monitor,
)
from .batching import BatchedModel
from .codecs.limits import DEFAULT_LIMITS
from .config import ModelServerConfig
from .config.model_config import ConfigFile
from .console.app import ConsoleApi
from .console.pages import ConsolePages
from .console.server_view import ServerParts
from .console.timing import Timed
from .console.view import Address
from .inference import Inference
from .models import Loader, Manager
from .options.server_options import GrpcOptions, RestOptions, ServerOptions, Startup
from .protocols.middleware.auth import AuthorizedGrpc, AuthorizedHttp
from .protocols.middleware.health import Health
from .protocols.middleware.openapi import OpenApi
from .protocols.middleware.tokens import Tokens
from .protocols.middleware.tracing import TracedGrpc, TracedHttp
from .protocols.tfserving.grpc.services import TfServingGrpc
from .protocols.tfserving.rest import TfServingRest
from .protocols.vertex.container import VertexContainer
from .status import Code, FileStatusError, StatusError
from .tracing.tracer import open_tracer
from .transport.grpc.addresses import check_address as check_grpc_address
from .transport.grpc_options import GrpcServerOptions
from .transport.grpc_types import GrpcApplication
from .transport.http.server import HttpServer, check_address
from .transport.tls import Certificates
from .transport.types import Application

logger = logging.getLogger(__name__)

_CPUS = os.cpu_count() or 1
# Each runs a model on one core; others parse and encode at the same time.
_REQUEST_THREADS = 2 * _CPUS
# TensorFlow Serving's default for the initial models (`num_initial_load_threads`).
_LOAD_THREADS = 4 * _CPUS
_UNLOAD_SECONDS = 5.0
_LOG_SECONDS = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ModelServer:
    """Serves models over TensorFlow Serving's APIs. For one event loop."""

    def __init__(self, options: ServerOptions, load: Loader | None = None) -> None:
        """Build the parts; nothing is loaded or opened before `start`.

        Raises UserError for invalid certificates and tokens, StatusError for invalid batching
        parameters, certificates or monitoring configuration.
        """
        self._options = options
        self._config_file = ConfigFile(options.config_file) if options.config_file else None
        self._loading = ThreadPoolExecutor(options.load_threads or _LOAD_THREADS, "load")
        self._running = ThreadPoolExecutor(options.request_threads or _REQUEST_THREADS, "request")
        self._monitor = make_monitor(options)
        self._tracer = open_tracer() if options.otel else None
        self._manager = Manager(make_loader(options, load, self._monitor), self._loading)
        self._monitor.watch(self._manager)
        self._core = make_core(options, self._manager, self._monitor.configure)
        inference = Inference(
            self._manager,
            self._running,
            check_methods=options.check_methods,
            observer=self._monitor.observer,
            json_limits=options.rest.limits if options.rest else DEFAULT_LIMITS,
        )
        file = options.auth_token_file
        self._tokens = Tokens(file) if file else None
        if self._tokens:
            _warn_of_plain_tokens(options)
        self._console: ConsoleApi | None = None
        self._console_token = secrets.token_urlsafe(16)
        self._rest = self._make_rest(options.rest, inference) if options.rest else None
        self._grpc = self._make_grpc(options.grpc, inference) if options.grpc else None
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_stuck = False
        """Whether a load or a run continued after `stop`: its thread ends when it does."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the served models, sorted."""
        return self._manager.available()

    @property
    def port(self) -> int:
        """Return the port of REST; 0 if it is off."""
        return self._rest.port if self._rest else 0

    @property
    def grpc_port(self) -> int:
        """Return the port of gRPC; 0 if it is off."""
        return self._grpc.port if self._grpc else 0

    @property
    def address(self) -> str:
        """Return the base URL of REST; "" if it is off."""
        return self._rest.url if self._rest else ""

    @property
    def grpc_address(self) -> str:
        """Return the address of gRPC, host and port or a socket; "" if it is off."""
        if self._options.grpc is None or self._grpc is None:
            return ""
        is_tcp = self._options.grpc.address is not None
        return self._grpc.address if is_tcp else f"unix:{self._options.grpc.socket_path}"

    @property
    def console_url(self) -> str:
        """Return the URL of the console, with the token of its changes; "" if it is off."""
        return f"{self.address}/#token={self._console_token}" if self._console else ""

    async def start(self) -> None:
        """Load the models, then listen.

        Raises the errors that the options' `startup` names, and UserError if an address cannot be
        bound; nothing is left open then.
        """
        try:
            self._check_addresses()
            await self._load()
            if self._options.batching and self._options.batching.by_costs:
                logger.info("concurrent requests run in batches if that is faster")
            if self._grpc:
                await self._grpc.start()
            if self._rest:
                await self._rest.start()
        except BaseException:
            await self._release()
            raise

    async def stop(self) -> None:
        """Stop listening, let requests in flight finish, and unload the models.

        Requests that have not finished after the options' `drain_seconds` are cancelled.
        """
        self._core.is_stopping = True
        for version in self._manager.versions():
            if isinstance(version.model, BatchedModel):
                version.model.hurry()
        await self._release()

    def _check_addresses(self) -> None:
        """Refuse an address in use before the models are loaded, which can take minutes."""
        rest, grpc = self._options.rest, self._options.grpc
        if grpc and grpc.address:
            check_grpc_address(grpc.address.host, grpc.address.port)
        if rest:
            check_address(rest.address.host, rest.address.port)

    async def _load(self) -> None:
        options = self._options
        self._core.apply(await asyncio.to_thread(self._read_config))
        if options.poll_seconds >= 0:
            await self._core.poll()
        if options.poll_seconds > 0:
            self._spawn(self._core.keep_polling(options.poll_seconds))
        await self._wait_for_models()
        if options.config_file and options.config_poll_seconds > 0:
            self._spawn(self._core.follow(self._read_config, options.config_poll_seconds))

    def _read_config(self) -> ModelServerConfig:
        return self._config_file.read() if self._config_file else self._options.config

    async def _wait_for_models(self) -> None:
        names = [model.name for model in self._core.config.models]
        match self._options.startup:
            case Startup.EVERY:
                await self._wait_for_every(names)
            case Startup.SOME:
                await self._core.attempted()
                if not self.models:
                    self._refuse(names)
            case Startup.AT_ONCE:
                pass

    async def _wait_for_every(self, names: Sequence[str]) -> None:
        if self._options.poll_seconds > 0:
            await self._core.settle(names)
        else:
            # The base paths are not read again: a missing version stays missing.
            await self._core.attempted()
            for problem in self._core.unsettled().values():
                raise StatusError(Code.NOT_FOUND, problem)
        self._core.check_available(names)

    def _refuse(self, names: Sequence[str]) -> None:
        """Raise the reason why no model is served, if there is one."""
        for name in names:
            failure = self._core.failure(name)
            if failure:
                raise failure.error
        for problem in self._core.unsettled().values():
            raise FileStatusError(Code.NOT_FOUND, problem)

    async def _release(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._console:
            self._console.close()
        servers = [server for server in (self._rest, self._grpc) if server]
        await asyncio.gather(*(server.stop(self._options.drain_seconds) for server in servers))
        try:
            await asyncio.wait_for(self._core.close(), _UNLOAD_SECONDS)
        except TimeoutError:
            self.is_stuck = True
            logger.warning("models are left: aborted requests or loads still hold them")
        await asyncio.to_thread(self._monitor.close, _LOG_SECONDS)
        if self._tracer:
            await asyncio.to_thread(self._tracer.close, _LOG_SECONDS)
        self._running.shutdown(wait=False)
        self._loading.shutdown(wait=False)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("watching the models has ended", exc_info=task.exception())

    def _addresses(self) -> tuple[Address, ...]:
        listed = (Address("REST", self.address), Address("gRPC", self.grpc_address))
        return tuple(each for each in listed if each.url)

    def _make_rest(self, options: RestOptions, inference: Inference) -> HttpServer:
        app: Application = TfServingRest(
            inference, cors=options.cors, timeout_seconds=options.seconds, pretty=options.pretty
        )
        if options.console:
            app = Timed(app)
        if options.container:
            app = VertexContainer(options.container, self._core, app)
        if self._tracer:
            app = TracedHttp(self._tracer, app)
        app = Health(self._core, self._monitor.http(app))
        if options.openapi:
            app = OpenApi(self._core, self._manager.handle, app)
        if options.console:
            changes = make_changes(self._options, self._core)
            parts = ServerParts(self._manager, self._core, self._monitor, self._addresses, changes)
            app = self._console = make_console(self._options, parts, app, self._console_token)
        if self._tokens:
            app = AuthorizedHttp(self._tokens, app, cors=options.cors)
        if options.console:
            app = ConsolePages(app, has_docs=options.openapi)
        host, port = options.address.host, options.address.port
        return HttpServer(app, host, port, tls=_tls(options.ssl_config_file))

    def _make_grpc(self, options: GrpcOptions, inference: Inference) -> GrpcServing:
        app: GrpcApplication = TfServingGrpc(
            inference,
            self._core,
            tensor_content=options.tensor_content,
            reload_seconds=self._options.reload_seconds,
        )
        if self._tracer:
            app = TracedGrpc(self._tracer, app)
        app = self._monitor.grpc(app)
        admit = None
        if self._tokens:
            app = authorized = AuthorizedGrpc(self._tokens, app)
            admit = authorized.admit
        server_options = GrpcServerOptions(
            socket_path=options.socket_path,
            tls=_tls(options.ssl_config_file),
            health=options.health,
            admit=admit,
            channel_arguments=options.channel_arguments,
        )
        host, port = (options.address.host, options.address.port) if options.address else ("", None)
        return make_grpc_server(options.transport, app, host, port, server_options)


def _tls(file: Path | None) -> Certificates | None:
    return Certificates(file) if file else None


def _warn_of_plain_tokens(options: ServerOptions) -> None:
    """Warn if tokens are sent in clear text over a network."""
    protocols = {"REST": options.rest, "gRPC": options.grpc}
    plain = [
        name
        for name, protocol in protocols.items()
        if protocol and protocol.address and not protocol.ssl_config_file
        if protocol.address.host not in _LOOPBACK
    ]
    if plain:
        logger.warning(
            "tokens are sent in clear text over %s: without certificates anyone who sees the "
            "traffic can read them",
            " and ".join(plain),
        )
