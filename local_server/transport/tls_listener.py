"""A listener whose connections start with a TLS handshake.

asyncio's own TLS servers report a connection only after its handshake and cannot end a stalled one.
Here it is counted and stopped like any other connection. A failed handshake is the client's error,
not a defect.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

logger = logging.getLogger(__name__)

_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)
_REST_SECONDS = 1.0  # asyncio's pause when file descriptors run out

Connect: TypeAlias = Callable[[], asyncio.Protocol]
"""Creates the protocol of a client that has completed its handshake."""


class HandshakeLimits(Protocol):
    """Timeouts of the TLS handshake and shutdown."""

    @property
    def handshake_seconds(self) -> float:
        """Return the timeout of a handshake."""
        ...

    @property
    def linger_seconds(self) -> float:
        """Return the timeout of a shutdown."""
        ...


class ServerState(Protocol):
    """State shared by the connections of one server, of any protocol."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the server's loop."""
        ...

    @property
    def limits(self) -> HandshakeLimits:
        """Return the server's limits."""
        ...

    def join(self, connection: Handshake, /) -> None:
        """Add a connection."""
        ...

    def leave(self, connection: Handshake, /) -> None:
        """Remove a connection."""
        ...

    def run(self, task: asyncio.Task[Any], /) -> None:
        """Keep a task until it is done."""
        ...


class Accepting:
    """Accepts the connections of a listening socket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        begin: Callable[[socket.socket, str], object],
    ) -> None:
        """Start to accept; `begin` takes each client with the name of its host."""
        self._loop = loop
        self._listener = listener
        self._begin = begin
        self._resting: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Stop accepting."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            client, address = self._listener.accept()
        except _GONE:
            return
        except OSError as error:
            logger.error("no connection can be accepted: %s", error.strerror)  # noqa: TRY400  not a defect
            self._loop.remove_reader(self._listener)
            self._resting = self._loop.call_later(_REST_SECONDS, self._listen)
            return
        client.setblocking(False)
        self._begin(client, address[0] if address else "a unix socket")


class TlsListener(Accepting):
    """Accepts connections and performs their TLS handshakes."""

    def __init__(
        self,
        state: ServerState,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        connect: Connect,
    ) -> None:
        """Start to accept; `context` returns the SSL context for each client."""
        super().__init__(
            state.loop,
            listener,
            lambda client, host: Handshake(state, client, host, context(), connect),
        )


class Handshake:
    """A client during its TLS handshake; a Connection takes over afterwards."""

    def __init__(
        self,
        state: ServerState,
        client: socket.socket,
        host: str,
        context: ssl.SSLContext,
        connect: Connect,
    ) -> None:
        """Begin the handshake."""
        self._server = state
        self._client: socket.socket | None = client
        self._host = host
        state.join(self)
        self._task = state.loop.create_task(self._encrypt(client, context, connect))
        self._task.add_done_callback(self._ended)
        state.run(self._task)

    def stop(self) -> None:
        """Close: no request has arrived yet."""
        self._task.cancel()

    def abort(self) -> None:
        """Close immediately."""
        self._task.cancel()

    def sweep(self, now: float) -> None:
        """Do nothing: the handshake has its own timeout."""

    async def _encrypt(
        self, client: socket.socket, context: ssl.SSLContext, connect: Connect
    ) -> None:
        limits = self._server.limits
        self._client = None  # owned by the loop from here on
        try:
            await self._server.loop.connect_accepted_socket(
                connect,
                client,
                ssl=context,
                ssl_handshake_timeout=limits.handshake_seconds,
                ssl_shutdown_timeout=limits.linger_seconds,
            )
        except OSError as error:  # ssl.SSLError is one, and so is a reset or a timeout
            logger.info("no TLS connection with %s: %s", self._host, error)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        if self._client is not None:  # cancelled before it began
            self._client.close()
        self._server.leave(self)
