"""A tunnel after its TLS handshake: HTTP/1.1 of one host, or gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from ...transport.http.known_heads import KnownHeads
from ...transport.http.server_state import ServerState
from ...transport.types import Application

Begin = Callable[[], asyncio.Protocol]


class TunnelState(ServerState):
    """The state of one tunnel, whose application knows its host; the proxy's state has all.

    Nothing behind the proxy could read a request's end differently: it may name it twice.
    """

    __slots__ = ("_proxy",)

    def __init__(self, app: Application, proxy: ServerState) -> None:
        super().__init__(app, proxy.limits, proxy.loop)
        self.heads = KnownHeads(app, both_lengths=True)
        self._proxy = proxy

    def join(self, connection: Any) -> None:
        """Add the connection, here and to those of the proxy."""
        super().join(connection)
        self._proxy.join(connection)

    def leave(self, connection: Any) -> None:
        """Remove the connection."""
        super().leave(connection)
        self._proxy.leave(connection)

    def run(self, future: asyncio.Future[Any]) -> None:
        """Keep a handler until it is done."""
        super().run(future)
        self._proxy.run(future)


class Handshaking(asyncio.Protocol):
    """The protocol of a connection until its client and the proxy have agreed on one.

    `begin` is called after `start_tls`, when the first bytes may already have arrived.
    """

    def __init__(self, http1: Begin, http2: Begin) -> None:
        self._http1 = http1
        self._http2 = http2
        self._received = b""
        self._is_ended = False

    def data_received(self, data: bytes) -> None:
        """Keep the first bytes."""
        self._received += data

    def eof_received(self) -> bool:
        """Remember that there are no more bytes."""
        self._is_ended = True
        return False

    def begin(self, transport: asyncio.Transport) -> None:
        """Hand the connection to the protocol of its ALPN; without one it is HTTP/1.1."""
        tls: Any = transport.get_extra_info("ssl_object")
        is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        protocol = (self._http2 if is_http2 else self._http1)()
        hand_over(transport, protocol, self._received)
        if self._is_ended:
            transport.close()


def hand_over(transport: asyncio.BaseTransport, protocol: asyncio.Protocol, data: bytes) -> None:
    """Begin a protocol on an open connection, with the bytes that have arrived."""
    cast("asyncio.Transport", transport).set_protocol(protocol)
    protocol.connection_made(transport)
    if data:
        protocol.data_received(data)
