"""A client of the proxy until its first request is known: a CONNECT, or plain HTTP.

A tunnel ends in this process: its TLS is answered with a certificate for its host.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

from ...transport.http.connection import Connection
from ...transport.http.server_state import ServerState
from .app import REFUSED
from .contexts import covering
from .destinations import RefusedHostError, tunnelled_host
from .traffic import Traffic
from .tunnel import Handshaking, TunnelState, hand_over

logger = logging.getLogger(__name__)

_CONNECT = b"CONNECT "
_END = b"\r\n\r\n"
_LINE = re.compile(rb"CONNECT (?P<authority>[^\s]{1,512}) HTTP/1\.[01]")
_MOST_BYTES = 16 * 1024
"""The head of a CONNECT request; past it 431."""
MOST_CLIENTS = 1024
"""Open connections; past it 503."""
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_DISTRUST = ("UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE")
"""The alerts of clients that trust other authorities (RFC 8446 6.2), in OpenSSL's words."""


class Parts(Protocol):
    """What the clients of a proxy share."""

    @property
    def plain(self) -> ServerState:
        """Return the state of connections without a tunnel, which knows those with one too."""
        ...

    @property
    def traffic(self) -> Traffic:
        """Return the counts of requests."""
        ...

    def context(self, host: str) -> ssl.SSLContext:
        """Return the TLS context of a host."""
        ...

    def tunnel(self, host: str) -> TunnelState:
        """Return the state of a tunnel to a host."""
        ...

    def grpc(self) -> asyncio.Protocol:
        """Return the protocol of a connection that speaks HTTP/2."""
        ...


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: HTTPStatus
    message: str
    host: str = ""


class Client(asyncio.Protocol):
    """One connection, until its protocol is known."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._received = b""
        self._since = parts.plain.loop.time()
        self._is_decided = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count a new connection, or refuse it if there are too many."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        is_full = len(self._parts.plain.connections) >= MOST_CLIENTS
        self._parts.plain.join(self)
        if is_full:
            text = f"The proxy has {MOST_CLIENTS} connections open."
            self._refuse(_Refusal(HTTPStatus.SERVICE_UNAVAILABLE, text))

    def data_received(self, data: bytes) -> None:
        """Collect the first head; continue as a tunnel or as HTTP/1.1."""
        if self._is_decided:
            return
        self._received += data
        if not self._received.startswith(_CONNECT[: len(self._received)]):
            self._continue()
        elif _END in self._received:
            self._connect()
        elif len(self._received) > _MOST_BYTES:
            text = f"The head of a CONNECT request is larger than {_MOST_BYTES} bytes."
            self._refuse(_Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the client."""
        self._parts.plain.leave(self)

    def _continue(self) -> None:
        self._is_decided = True
        connection = Connection(self._parts.plain)
        hand_over(self._transport, connection, self._received)
        self._parts.plain.leave(self)

    def _connect(self) -> None:
        head, _, rest = self._received.partition(_END)
        match = _LINE.fullmatch(head.partition(b"\r\n")[0])
        if match is None or rest:
            what = "is malformed" if match is None else "has bytes before the tunnel is open"
            self._refuse(_Refusal(HTTPStatus.BAD_REQUEST, f"The CONNECT request {what}."))
            return
        try:
            host = tunnelled_host(match["authority"].decode("latin-1"))
        except RefusedHostError as error:
            self._parts.traffic.refuse(error.host, error.message)
            self._refuse(_Refusal(HTTPStatus.FORBIDDEN, error.message, error.host))
            return
        self._is_decided = True
        self._transport.write(_ESTABLISHED)
        self._parts.plain.run(self._parts.plain.loop.create_task(self._encrypt(host)))

    async def _encrypt(self, host: str) -> None:
        parts, limits = self._parts, self._parts.plain.limits
        begin: Callable[[], asyncio.Protocol] = lambda: Connection(parts.tunnel(host))  # noqa: E731
        handshaking = Handshaking(begin, parts.grpc)
        try:
            transport = await parts.plain.loop.start_tls(
                self._transport,
                handshaking,
                parts.context(host),
                server_side=True,
                ssl_handshake_timeout=limits.handshake_seconds,
                ssl_shutdown_timeout=limits.linger_seconds,
            )
        except OSError as error:  # ssl.SSLError is one, and so is a reset or a timeout
            self._failed(host, error)
        else:
            if transport is not None and not transport.is_closing():
                handshaking.begin(transport)
        finally:
            parts.plain.leave(self)

    def _failed(self, host: str, error: OSError) -> None:
        logger.info("no TLS connection for %s: %s", host, error)
        if covering(host) != host:
            logger.warning("%s: over HTTPS, a bucket with dots is named in the path", host)
        elif any(alert in str(error).upper().replace(" ", "_") for alert in _DISTRUST):
            self._parts.traffic.distrust(host)
        self._transport.abort()

    def _refuse(self, refusal: _Refusal) -> None:
        """Answer with a sentence in the status line, which clients quote, a header and a body."""
        self._is_decided = True
        body = f"{refusal.message}\n".encode()
        named = f"{REFUSED}: {refusal.host}\r\n" if refusal.host else ""
        head = (
            f"HTTP/1.1 {refusal.status.value} {refusal.message}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n{named}"
            "Connection: close\r\n\r\n"
        )
        self._transport.write(head.encode("ascii", "replace") + body)
        self._transport.close()

    # The server's side.

    def stop(self) -> None:
        """Close: no request has arrived yet."""
        self._transport.close()

    def abort(self) -> None:
        """Close immediately."""
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Close if the first head does not arrive in time; a handshake has its own timeout."""
        if not self._is_decided and now - self._since > self._parts.plain.limits.header_seconds:
            text = "The request did not come to its end in time."
            self._refuse(_Refusal(HTTPStatus.REQUEST_TIMEOUT, text))
