"""One port for HTTP/1.1 and gRPC, each with and without TLS.

The first bytes of a client show what it speaks: a TLS record, the preface of HTTP/2, or a request
line. In TLS the client chooses by ALPN (RFC 7301); without it, HTTP/1.1 is meant. A client that
offers both, as curl and browsers do, gets HTTP/1.1: clients of gRPC offer HTTP/2 alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from .connections import ServerConnection
from .grpc_http2.application import GrpcRequests
from .grpc_http2.limits import MessageLimits
from .grpc_http2.routes import Methods
from .http.connection import Connection as HttpConnection
from .http.server import listen
from .http.server_state import ServerState as HttpState
from .http2.connection import Connection as Http2Connection
from .http2.limits import Http2Limits
from .http2.server_state import ServerState as Http2State
from .limits import Limits
from .tls import HTTP1, HTTP2, ServerTls, TlsSource
from .tls_listener import Accepting, Connect
from .types import Application

logger = logging.getLogger(__name__)

_TLS_RECORD: Final = b"\x16"
"""The first byte of a ClientHello: a handshake record (RFC 8446, 5.1)."""
_PREFACE: Final = b"PRI"
"""The first bytes of HTTP/2, a method that HTTP/1.1 does not have (RFC 9113, 3.4)."""


class SharedPort:
    """Serves an application over HTTP/1.1, and gRPC's methods over HTTP/2, on one address."""

    def __init__(
        self,
        app: Application,
        methods: Methods,
        host: str,
        port: int,
        *,
        limits: Limits | None = None,
        tls: TlsSource | None = None,
    ) -> None:
        """Take the applications and the address; without `tls`, clients that want it are refused.

        Nothing is opened before `start`. Raises UserError for invalid certificates.
        """
        self._app = app
        self._methods = methods
        self._host = host
        self._requested_port = port
        self._limits = limits or Limits()
        self._tls = ServerTls(tls, (*HTTP1, *HTTP2)) if tls else None
        self._accepting: Accepting | None = None
        self._states: tuple[HttpState, Http2State] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Return the port, or the one the system chose if 0 was requested."""
        return self._port

    async def start(self) -> None:
        """Listen; raises UserError if the address cannot be bound."""
        loop = asyncio.get_running_loop()
        listener = listen(self._host, self._requested_port)
        calls = GrpcRequests(self._methods, MessageLimits())
        http2_limits = Http2Limits()
        states = HttpState(self._app, self._limits, loop), Http2State(calls, http2_limits, loop)
        calls.attach(states[1])
        context = self._tls.context if self._tls else None
        self._accepting = Accepting(
            loop, listener, lambda client, host: _Arrival(states, client, host, context)
        )
        self._states = states
        self._port = listener.getsockname()[1]
        states[0].sweep(self._limits.sweep_seconds)
        states[1].sweep(http2_limits.sweep_seconds)

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop accepting, let requests in flight finish, then abort."""
        if self._accepting is None or self._states is None:
            return
        self._accepting.close()
        self._accepting = None
        await asyncio.gather(*(state.stop(drain_seconds) for state in self._states))


class _Arrival:
    """A client until its first bytes show what it speaks."""

    def __init__(
        self,
        states: tuple[HttpState, Http2State],
        client: socket.socket,
        host: str,
        context: Callable[[], ssl.SSLContext] | None,
    ) -> None:
        self._http, self._http2 = states
        self._client: socket.socket | None = client
        self._host = host
        self._context = context
        self._is_handing_over = False
        self._is_stopped = False
        self._http.join(self)
        self._task = self._http.loop.create_task(self._connect(client))
        self._task.add_done_callback(self._ended)
        self._http.run(self._task)

    def stop(self) -> None:
        """Close: no request has arrived yet."""
        self._is_stopped = True
        # uvloop does not tell a protocol that it was cancelled behind `connection_made`.
        if not self._is_handing_over:
            self._task.cancel()

    def abort(self) -> None:
        """Close immediately."""
        self._task.cancel()

    def sweep(self, now: float) -> None:
        """Do nothing: a silent client becomes one of HTTP/1.1, with its timeouts."""

    async def _connect(self, client: socket.socket) -> None:
        try:
            first = await self._peek(client)
            if first.startswith(_TLS_RECORD) and self._context is None:
                logger.info("no TLS with %s: this port has no certificates", self._host)
                return
            connect, options = self._choose(first)
            self._client = None  # owned by the loop from here on
            self._is_handing_over = not options  # at once; a handshake can take long
            made = await self._http.loop.connect_accepted_socket(connect, client, **options)
            if self._is_stopped:
                cast("ServerConnection", made[1]).stop()
        except OSError as error:  # ssl.SSLError is one, and so is a reset or a timeout
            logger.info("no connection with %s: %s", self._host, error)

    def _choose(self, first: bytes) -> tuple[Connect, dict[str, Any]]:
        """Return the protocol of a client by its first bytes, and options of TLS."""
        if first.startswith(_TLS_RECORD):
            assert self._context is not None
            limits = self._http.limits
            return partial(_ByAlpn, self._http, self._http2), {
                "ssl": self._context(),
                "ssl_handshake_timeout": limits.handshake_seconds,
                "ssl_shutdown_timeout": limits.linger_seconds,
            }
        if first.startswith(_PREFACE):
            return partial(Http2Connection, self._http2), {}
        return partial(HttpConnection, self._http), {}

    async def _peek(self, client: socket.socket) -> bytes:
        """Return the first bytes without taking them; b"" if too few have come for a while."""
        loop = self._http.loop
        arrived = asyncio.Event()
        # Readable is a client with all of the bytes that tell the protocols apart, or at its end.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(_PREFACE))
        loop.add_reader(client, arrived.set)
        try:
            async with asyncio.timeout(self._http.limits.handshake_seconds):
                await arrived.wait()
            return client.recv(len(_PREFACE), socket.MSG_PEEK)
        except (TimeoutError, BlockingIOError):
            return b""
        finally:
            loop.remove_reader(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        if self._client is not None:  # cancelled, or refused
            self._client.close()
        self._http.leave(self)


class _ByAlpn(asyncio.Protocol):
    """A client that has completed its handshake, for the protocol that was agreed."""

    def __init__(self, http: HttpState, http2: Http2State) -> None:
        self._http = http
        self._http2 = http2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection over."""
        # uvloop's transports are not subclasses of asyncio's.
        connected = cast("asyncio.Transport", transport)
        agreed = connected.get_extra_info("ssl_object").selected_alpn_protocol()
        chosen: asyncio.Protocol
        chosen = Http2Connection(self._http2) if agreed in HTTP2 else HttpConnection(self._http)
        connected.set_protocol(chosen)
        chosen.connection_made(connected)
