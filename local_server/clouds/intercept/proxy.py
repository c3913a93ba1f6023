"""The forward proxy on loopback: it ends every tunnel itself, and opens no connection."""

from __future__ import annotations

import asyncio
import ssl

from ...transport.grpc_http2.application import GrpcRequests
from ...transport.grpc_http2.limits import MessageLimits
from ...transport.grpc_http2.routes import Methods
from ...transport.http.server_state import ServerState
from ...transport.http2.connection import Connection as Http2Connection
from ...transport.http2.limits import Http2Limits
from ...transport.http2.server_state import ServerState as Http2State
from ...transport.limits import Limits
from ...transport.sockets import bind
from ...transport.types import Application
from ..renewal import RenewedAuthority
from .app import InterceptedApp
from .client import Client
from .contexts import Contexts
from .traffic import Traffic
from .tunnel import TunnelState

_LOOPBACK = "127.0.0.1"


class Proxy:
    """Serves an application under the hosts of the clouds, on a free port."""

    def __init__(
        self,
        app: Application,
        authority: RenewedAuthority,
        traffic: Traffic,
        methods: Methods,
        limits: Limits | None = None,
    ) -> None:
        """Take the application and gRPC's methods. Nothing is opened before `start`."""
        self.traffic = traffic
        self._app = app
        self._contexts = Contexts(authority)
        self._requests = GrpcRequests(methods, MessageLimits())
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Return the URL that clients are to use as their proxy."""
        return f"http://{_LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        listener = bind(_LOOPBACK, 0)
        self.plain = ServerState(
            InterceptedApp(self._app, self.traffic, is_plain=True), self._limits, loop
        )
        self._grpc = Http2State(self._requests, Http2Limits(), loop)
        self._requests.attach(self._grpc)
        self._server = await loop.create_server(lambda: Client(self), sock=listener)
        self._port = listener.getsockname()[1]
        self.plain.sweep(self._limits.sweep_seconds)
        self._grpc.sweep(self._grpc.limits.sweep_seconds)

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop accepting, let requests in flight finish, then abort."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._requests.stop()
        await asyncio.gather(self.plain.stop(drain_seconds), self._grpc.stop(drain_seconds))

    # What its clients need.

    def context(self, host: str) -> ssl.SSLContext:
        """Return the TLS context of a host."""
        return self._contexts.of(host)

    def tunnel(self, host: str) -> TunnelState:
        """Return the state of a tunnel to a host."""
        return TunnelState(InterceptedApp(self._app, self.traffic, host), self.plain)

    def grpc(self) -> asyncio.Protocol:
        """Return the protocol of a connection that speaks HTTP/2."""
        return Http2Connection(self._grpc)
