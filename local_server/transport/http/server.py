"""A listening server: start, address, stop within a deadline."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

from cloudserve.errors import UserError

from ..limits import Limits
from ..tls import ServerTls, TlsSource
from ..tls_listener import TlsListener
from ..types import Application
from .connection import Connection
from .server_state import Hub

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_PORTS = range(65536)
_EVERY_ADDRESS = "::"
_EVERY_IPV4_ADDRESS = "0.0.0.0"  # noqa: S104  asked for by the caller
_CANCELLED_SECONDS = 1.0  # for handlers to take their cancellation


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
        """Take what to serve and where; `port` 0 picks a free one.

        Nothing is opened before `start`. Raises UserError for certificates that are wrong.
        """
        self._app = app
        self._host = host
        self._wanted_port = port
        self._limits = limits or Limits()
        self._tls = ServerTls(tls) if tls else None
        self._server: asyncio.Server | TlsListener | None = None
        self._hub: Hub | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Return the port that is listened on; the one the system chose where 0 was asked for."""
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
        return len(self._hub.connections) if self._hub else 0

    async def start(self) -> None:
        """Listen; raises UserError when the address cannot be had."""
        if self._server is not None:
            raise RuntimeError("the server is started already")
        loop = asyncio.get_running_loop()
        listener = _listen(self._host, self._wanted_port)
        hub = Hub(self._app, self._limits, loop)
        if self._tls is None:
            self._server = await loop.create_server(lambda: Connection(hub), sock=listener)
        else:
            self._server = TlsListener(hub, listener, self._tls.context)
        self._hub = hub
        self._port = listener.getsockname()[1]
        self._sweep()

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop accepting, close idle connections, let requests in flight finish, then cut off.

        Handlers that go on after their client left count as in flight. After `drain_seconds`
        they are cancelled.
        """
        if self._server is None or self._hub is None:
            return
        self._server.close()
        self._server = None
        for connection in tuple(self._hub.connections):
            connection.stop()
        try:
            await asyncio.wait_for(self._hub.quiet(), drain_seconds)
        except TimeoutError:
            await self._cut_off(self._hub)
        assert self._sweeper is not None
        self._sweeper.cancel()

    async def _cut_off(self, hub: Hub) -> None:
        for connection in tuple(hub.connections):
            connection.abort()
        for future in tuple(hub.running):
            # A future that is not a task is the application's own, perhaps shared.
            if isinstance(future, asyncio.Task):
                future.cancel()
        try:
            await asyncio.wait_for(hub.quiet(), _CANCELLED_SECONDS)
        except TimeoutError:
            _log.warning("%d requests did not end when they were cancelled", len(hub.running))

    def _sweep(self) -> None:
        assert self._hub is not None
        now = self._hub.loop.time()
        for connection in tuple(self._hub.connections):
            connection.sweep(now)
        self._sweeper = self._hub.loop.call_later(self._limits.sweep_seconds, self._sweep)


def _listen(host: str, port: int) -> socket.socket:
    """Bind one address: a name like localhost would else get two ports where 0 is asked for.

    "::" stands for every address, IPv4's too; where there is no IPv6, for IPv4's alone.
    """
    if host == _EVERY_ADDRESS and not socket.has_dualstack_ipv6():
        host = _EVERY_IPV4_ADDRESS
    if port not in _PORTS:
        raise UserError(f"{port} is not a port", hint="choose one of 1 to 65535, or 0 for any")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == _EVERY_ADDRESS
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        raise _bind_error(error, host, port) from error
    # What is accepted inherits it. Without it an answer may wait 40 ms for an acknowledgement, and
    # asyncio sets it only where the socket names its protocol, which this one does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


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
