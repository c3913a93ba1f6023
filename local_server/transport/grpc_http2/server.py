"""gRPC over this project's HTTP/2: start, addresses, stop within a deadline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cloudserve.errors import UserError

from ..grpc.addresses import check_socket, refused_address
from ..grpc.base import BaseGrpcServer
from ..grpc.reflection_pool import reflection_pool
from ..grpc_options import GrpcServerOptions
from ..grpc_types import GrpcApplication, Service
from ..http2.connection import Connection
from ..http2.limits import Http2Limits
from ..http2.server_state import ServerState
from ..sockets import BACKLOG, bind
from ..tls import HTTP2, ServerTls
from ..tls_listener import TlsListener
from .application import GrpcRequests
from .builtin_services import HEALTH, health_methods, reflection_methods
from .limits import MessageLimits, read_arguments
from .routes import AnyMethod, methods_of


class NativeGrpcServer(BaseGrpcServer):
    """Serves over this project's HTTP/2."""

    def __init__(
        self,
        app: GrpcApplication,
        host: str = "127.0.0.1",
        port: int | None = 0,
        options: GrpcServerOptions | None = None,
    ) -> None:
        """See BaseGrpcServer."""
        super().__init__(app, host, port, options)
        self._state: ServerState | None = None
        self._requests: GrpcRequests | None = None
        self._listeners: list[asyncio.Server | TlsListener] = []
        self._socket_file: tuple[Path, int] | None = None
        self._stopping = asyncio.Event()

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._state.connections) if self._state else 0

    async def _open(self, services: Sequence[Service]) -> None:
        limits, message_limits = _read_arguments(self._options)
        self._stopping = asyncio.Event()
        self._requests = GrpcRequests(self._methods(services), message_limits)
        self._state = ServerState(self._requests, limits, asyncio.get_running_loop())
        self._requests.attach(self._state)
        try:
            await self._listen(self._state)
        except BaseException:
            self._close_listeners()
            raise
        self._state.sweep(limits.sweep_seconds)

    async def _close(self, drain_seconds: float) -> None:
        assert self._state is not None
        assert self._requests is not None
        self._close_listeners()
        self._stopping.set()
        # Watchers of the health service are notified first.
        self._state.loop.call_soon(self._requests.stop)
        await self._state.stop(drain_seconds)

    def _methods(self, services: Sequence[Service]) -> dict[bytes, AnyMethod]:
        methods = methods_of(services)
        names = [service.name for service in services]
        if self._options.health:
            methods.update(health_methods(names, self._stopping))
            names.append(HEALTH)
        methods.update(reflection_methods(names, reflection_pool(services), self._options.admit))
        return methods

    async def _listen(self, state: ServerState) -> None:
        tls, socket_path = self._options.tls, self._options.socket_path
        encryption = ServerTls(tls, HTTP2) if tls else None
        if self._requested_port is not None:
            listener = self._bind(self._requested_port)
            await self._serve(state, listener, encryption)
            self._port = listener.getsockname()[1]
        if socket_path is not None:
            await self._serve(state, self._bind_socket(socket_path), encryption)

    async def _serve(
        self, state: ServerState, listener: socket.socket, tls: ServerTls | None
    ) -> None:
        def connect() -> Connection:
            return Connection(state)

        if tls is not None:
            self._listeners.append(TlsListener(state, listener, tls.context, connect))
        elif listener.family == socket.AF_UNIX:  # uvloop distinguishes them
            self._listeners.append(await state.loop.create_unix_server(connect, sock=listener))
        else:
            self._listeners.append(await state.loop.create_server(connect, sock=listener))

    def _bind(self, port: int) -> socket.socket:
        try:
            return bind(self._host, port)
        except OSError as error:
            raise refused_address(self._address(port)) from error

    def _bind_socket(self, path: Path) -> socket.socket:
        check_socket(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise refused_address(f"unix:{path}") from error
        self._socket_file = path, path.stat().st_ino
        return listener

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._socket_file is not None:
            path, inode = self._socket_file
            self._socket_file = None
            with suppress(FileNotFoundError):
                if path.stat().st_ino == inode:  # not that of a newer server
                    path.unlink()


def _read_arguments(options: GrpcServerOptions) -> tuple[Http2Limits, MessageLimits]:
    try:
        return read_arguments(options.channel_arguments)
    except ValueError as error:
        raise UserError(
            f"invalid grpc_channel_arguments: {error}", hint="correct them, or leave them out"
        ) from error
