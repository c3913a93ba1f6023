"""HTTP/1.1 requests on kept connections: an asyncio protocol over httptools.

A request costs no task and no future: the parser's last callback frees the slot, and the engine
writes the next request from there.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import httptools
from google.protobuf import json_format

from cloudserve.bench.target import Target
from cloudserve.client.transports.rest import error_words
from cloudserve.errors import RemoteError, UnreachableError

from ..messages import message_class
from .measurement.slots import CLOSED, REFUSED, TIMEOUT, Answer, Slot

_RETRY_SECONDS = 0.05
_LOWEST_ERROR = 300
_QUOTED = 200
_ASK_SECONDS = 60.0
_HINTS = {
    "HTTP 400": "give a request that the model accepts: --payload FILE, or --shape",
    "HTTP 401": "give a token: --auth-token-file FILE",
    "HTTP 404": "check the model's name and version in the URL",
    "not HTTP": "check that the port is the REST port",
}


class _Connection(asyncio.Protocol):
    """One connection of a slot; a slot replaces a closed one."""

    def __init__(self, slot: HttpSlot) -> None:
        self._slot = slot
        self._parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._slot.lose(self, "not HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # asyncio's signature
        self._slot.lose(self, CLOSED)

    def on_body(self, body: bytes) -> None:
        self._slot.body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self._slot.forget(self)
        self._slot.finish(None if status < _LOWEST_ERROR else f"HTTP {status}")


Connect = Callable[[asyncio.Protocol], Any]


class HttpSlot:
    """A connection that sends one request after the other, and connects again when it has to."""

    def __init__(self, connect: Connect) -> None:
        self.done: Callable[[Any, str | None], None] = lambda _slot, _failure: None
        self.intended = 0
        self.body = b""
        self._connect = connect
        self._connection: _Connection | None = None
        self._connecting: asyncio.Future[None] | None = None
        self._sent = 0
        """When the request in flight was sent; 0 if there is none."""

    async def open(self) -> None:
        """Connect. Raises OSError."""
        connection = _Connection(self)
        await self._connect(connection)
        self._connection = connection

    def send(self, request: bytes) -> None:
        """Send a request; see Slot."""
        self._sent = time.perf_counter_ns()
        self.body = b""
        if self._connection is None:
            self._connecting = asyncio.ensure_future(self._open_and_send(request))
            return
        assert self._connection.transport is not None
        self._connection.transport.write(request)

    async def _open_and_send(self, request: bytes) -> None:
        try:
            await self.open()
        except OSError:
            # Without a pause the next attempt would fail immediately: a busy loop.
            await asyncio.sleep(_RETRY_SECONDS)
            self.finish(REFUSED)
            return
        if self._sent and self._connection and self._connection.transport:
            self._connection.transport.write(request)

    def finish(self, failure: str | None) -> None:
        """Free the slot and report the end of its request."""
        if self._sent:
            self._sent = 0
            self.done(self, failure)

    def lose(self, connection: _Connection, failure: str) -> None:
        """Drop a broken connection and fail its request."""
        if connection is self._connection:
            self.forget(connection)
            self.finish(failure)

    def forget(self, connection: _Connection) -> None:
        """Close a connection; the next request opens another."""
        self._connection = None
        if connection.transport is not None:
            connection.transport.abort()

    def expire(self, before: int) -> None:
        """Fail a request that was sent before this time; see Slot."""
        if 0 < self._sent < before:
            if self._connecting is not None:
                self._connecting.cancel()
            if self._connection is not None:
                self.forget(self._connection)
            self.finish(TIMEOUT)

    def close(self) -> None:
        """Drop the connection and the request in flight."""
        self._sent = 0
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self.forget(self._connection)


class RestWire:
    """TensorFlow Serving's REST API, or any other URL that JSON is posted to."""

    def __init__(
        self, target: Target, headers: Mapping[str, str], context: ssl.SSLContext | None
    ) -> None:
        self._target = target
        self._context = context
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._slots: list[HttpSlot] = []
        self._path = f"{target.path}:predict" if target.model else target.path

    def prepare(self, body: bytes) -> bytes:
        """Return a POST request; see Wire."""
        lines = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return self._head("POST", self._path, lines) + body

    def _head(self, method: str, path: str, lines: str = "") -> bytes:
        host = f"Host: {self._target.authority}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{host}{self._headers}{lines}\r\n".encode()

    async def open(self, count: int) -> list[Slot]:
        """Connect; see Wire."""
        slots = [HttpSlot(self._connect) for _ in range(count)]
        self._slots += slots
        try:
            await asyncio.gather(*(slot.open() for slot in slots))
        except OSError as error:
            raise self._unreachable(error) from error
        return list(slots)

    async def _connect(self, connection: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        target = self._target
        await loop.create_connection(
            lambda: connection, target.host, target.port, ssl=self._context
        )

    async def ask(self, request: bytes) -> Answer:
        """Exchange one request; see Wire."""
        answered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        slot = HttpSlot(self._connect)
        slot.done = lambda _slot, failure: answered.set_result(failure)
        try:
            await slot.open()
            slot.send(request)
            async with asyncio.timeout(_ASK_SECONDS):
                return Answer(await answered, slot.body)
        except OSError as error:
            raise self._unreachable(error) from error
        finally:
            slot.close()

    def _unreachable(self, error: OSError) -> UnreachableError:
        return UnreachableError(
            f"no server answers at {self._target.authority}: {_reason(error)}",
            where=self._target.url,
            hint="check that the server runs, and its address and port",
        )

    async def metadata(self) -> Any:
        """Return the signatures of `…/metadata`; see Wire."""
        path = f"{self._target.path}/metadata"
        answer = await self.ask(self._head("GET", path))
        if answer.failure:
            raise self.refusal(answer, f"GET {path}")
        try:
            document = json.loads(answer.body)["metadata"]["signature_def"]
            definitions = message_class("tensorflow.serving.SignatureDefMap")()
            return json_format.ParseDict(document, definitions, ignore_unknown_fields=True)
        except (ValueError, KeyError, TypeError) as error:
            raise RemoteError(
                f"the server is not TensorFlow Serving: GET {path} answers no model metadata",
                where=self._target.url,
                hint="check the URL, or give a request: --payload FILE",
            ) from error

    def refusal(self, answer: Answer, request: str = "the prediction") -> RemoteError:
        """Return the error of a failed answer; see Wire."""
        return RemoteError(
            f"{request} was answered with {answer.failure}: {error_words(answer.body)}",
            where=self._target.url,
            hint=_HINTS.get(answer.failure or ""),
        )

    async def close(self) -> None:
        """Close all connections; see Wire."""
        for slot in self._slots:
            slot.close()


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_ASK_SECONDS:g} s"
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return REFUSED
    return error.strerror or str(error)
