"""An HTTP server: start, address, stop within a deadline."""

from __future__ import annotations

import asyncio
import errno
import socket

from cloudserve.errors import UserError

from ..limits import Limits
from ..sockets import bind
from ..tls import ServerTls, TlsSource
from ..tls_listener import TlsListener
from ..types import Application
from .connection import Connection
from .server_state import ServerState

_PORTS = range(65536)


class HttpServer:
    """Serves an application over HTTP/1.1 on one address, or over HTTPS with certificates."""

    def __init__(
        self,
        app: Application,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        *,
        tls: TlsSource | None = None,
    ) -> None:
        """Take the application and the address; `port` 0 selects a free port.

        Nothing is opened before `start`. Raises UserError for invalid certificates.
        """
        self._app = app
        self._host = host
        self._requested_port = port
        self._limits = limits or Limits()
        self._tls = ServerTls(tls) if tls else None
        self._server: asyncio.Server | TlsListener | None = None
        self._state: ServerState | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Return the port, or the one the system chose if 0 was requested."""
        return self._port

    @property
    def address(self) -> str:
        """Return "host:port", an IPv6 host in brackets."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def url(self) -> str:
        """Return "http://host:port", or "https://…" with certificates."""
        return f"{'https' if self._tls else 'http'}://{self.address}"

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._state.connections) if self._state else 0

    async def start(self) -> None:
        """Listen; raises UserError if the address cannot be bound."""
        if self._server is not None:
            raise RuntimeError("the server is started already")
        loop = asyncio.get_running_loop()
        listener = listen(self._host, self._requested_port)
        state = ServerState(self._app, self._limits, loop)
        if self._tls is None:
            self._server = await loop.create_server(lambda: Connection(state), sock=listener)
        else:
            self._server = TlsListener(
                state, listener, self._tls.context, lambda: Connection(state)
            )
        self._state = state
        self._port = listener.getsockname()[1]
        state.sweep(self._limits.sweep_seconds)

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop accepting, close idle connections, let requests in flight finish, then abort.

        Handlers that still run after their client left count as in flight. They are cancelled after
        `drain_seconds`.
        """
        if self._server is None or self._state is None:
            return
        self._server.close()
        self._server = None
        await self._state.stop(drain_seconds)


def check_address(host: str, port: int) -> None:
    """Raise UserError if the address cannot be bound at present."""
    listen(host, port).close()


def listen(host: str, port: int) -> socket.socket:
    """Bind an address and listen; raises UserError if that is impossible."""
    if port not in _PORTS:
        raise UserError(f"{port} is not a port", hint="choose one of 1 to 65535, or 0 for any")
    try:
        return bind(host, port)
    except OSError as error:
        raise _bind_error(error, host, port) from error


def _bind_error(error: OSError, host: str, port: int) -> UserError:
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"port {port} on {host} is in use",
            hint="stop the process that listens there, or choose another port (0: any free one)",
        )
    if error.errno == errno.EACCES:
        return UserError(
            f"port {port} on {host} is not allowed to this user", hint="choose one above 1023"
        )
    return UserError(
        f"cannot listen on {host}: {error.strerror}", hint="choose an address of this machine"
    )
