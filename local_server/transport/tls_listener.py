"""Connections that begin with a TLS handshake.

asyncio's own TLS servers hand a connection out when its handshake is over, and cannot end one that
stalls. Here it is counted and stopped like any other connection. One that fails is its client's
matter and no defect.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from .http.connection import Connection
from .http.server_state import Hub

_log = logging.getLogger(__name__)

_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)
_REST_SECONDS = 1.0  # as asyncio rests when there are no file descriptors left


class TlsListener:
    """Accepts connections and has each encrypted before it is served."""

    def __init__(
        self, hub: Hub, listener: socket.socket, context: Callable[[], ssl.SSLContext]
    ) -> None:
        """Accept from now on; each client is encrypted with what `context` gives then."""
        self._hub = hub
        self._listener = listener
        self._context = context
        self._resting: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept no more."""
        if self._resting is not None:
            self._resting.cancel()
        self._hub.loop.remove_reader(self._listener)
        self._listener.close()

    def _listen(self) -> None:
        self._hub.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            client, address = self._listener.accept()
        except _GONE:
            return
        except OSError as error:
            _log.error("no connection can be accepted: %s", error.strerror)
            self._hub.loop.remove_reader(self._listener)
            self._resting = self._hub.loop.call_later(_REST_SECONDS, self._listen)
            return
        client.setblocking(False)
        Handshake(self._hub, client, address[0], self._context())


class Handshake:
    """A client until its connection is encrypted; then a Connection goes on."""

    def __init__(self, hub: Hub, client: socket.socket, host: str, context: ssl.SSLContext) -> None:
        """Begin the handshake."""
        self._hub = hub
        self._client: socket.socket | None = client
        self._host = host
        hub.join(self)
        self._task = hub.loop.create_task(self._encrypt(client, context))
        self._task.add_done_callback(self._ended)
        hub.run(self._task)

    def stop(self) -> None:
        """Close: nothing has been asked yet."""
        self._task.cancel()

    def abort(self) -> None:
        """Close at once."""
        self._task.cancel()

    def sweep(self, now: float) -> None:
        """Wait on: the handshake has a limit of its own."""

    async def _encrypt(self, client: socket.socket, context: ssl.SSLContext) -> None:
        limits = self._hub.limits
        self._client = None  # the loop's from here on
        try:
            await self._hub.loop.connect_accepted_socket(
                lambda: Connection(self._hub),
                client,
                ssl=context,
                ssl_handshake_timeout=limits.handshake_seconds,
                ssl_shutdown_timeout=limits.linger_seconds,
            )
        except OSError as error:  # ssl.SSLError is one, and so is a reset or a timeout
            _log.info("no TLS connection with %s: %s", self._host, error)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        if self._client is not None:  # cancelled before it began
            self._client.close()
        self._hub.leave(self)
