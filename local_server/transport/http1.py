"""HTTP/1.1 on one connection (RFC 9112): requests in turn, each asked of the application.

One request of a connection is in flight at a time. What comes behind it waits unread, so that
pipelined requests are answered in order and cost no memory. A small request that the application
answers at once is read, answered and written within one call of `data_received`: no task, no
future, no copy of the body.

A client that leaves does not cancel its request: a prediction cannot be stopped half-way, and an
operation on the offline clouds must not be. The application learns of it where it matters, as
ClientGoneError from the body it reads; an answer nobody waits for is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from enum import IntEnum
from typing import Any, cast

from .body import BodyStream
from .framing import Chunked, Counted, Framing
from .head import HeadReader, Message
from .limits import Limits
from .refusal import RefusedError, body_too_large, error_response
from .types import (
    Application,
    BodyTooLargeError,
    ClientGoneError,
    FileSlice,
    Head,
    Request,
    Response,
)
from .writer import CONTINUE, DateLine, OpenSlice, Outlet, encode_head

_log = logging.getLogger(__name__)
_NO_HEAD = Head("", "")
_GONE = (ClientGoneError, asyncio.CancelledError)


class Phase(IntEnum):
    """Where a connection is; the number is its step's place in `_STEPS`."""

    HEAD = 0  # between requests, or inside a head
    COLLECT = 1  # the body is gathered, then the application asked
    STREAM = 2  # the application has been asked and reads the body as it comes
    ANSWER = 3  # the request is whole, its answer is not
    DRAIN = 4  # the answer is there, the rest of the body is thrown away
    LINGER = 5  # the last answer is out
    CLOSED = 6


class Hub:
    """What the connections of one server share."""

    __slots__ = ("_quiet", "app", "connections", "date", "limits", "loop", "running")

    def __init__(self, app: Application, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.limits = limits
        self.loop = loop
        self.date = DateLine()
        self.connections: set[Connection] = set()
        # Handlers and file senders, which may outlive their connections.
        self.running: set[asyncio.Future[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def join(self, connection: Connection) -> None:
        """Count a connection in."""
        self.connections.add(connection)
        self._quiet.clear()

    def leave(self, connection: Connection) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        self._look()

    def run(self, future: asyncio.Future[Any]) -> None:
        """Keep a handler or a file sender until it is done."""
        self.running.add(future)
        future.add_done_callback(self._ran)

    async def quiet(self) -> None:
        """Wait until no connection is open and nothing runs."""
        await self._quiet.wait()

    def _ran(self, future: asyncio.Future[Any]) -> None:
        self.running.discard(future)
        self._look()

    def _look(self) -> None:
        if not self.connections and not self.running:
            self._quiet.set()


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._app = hub.app
        self._phase = Phase.HEAD
        self._head = _NO_HEAD
        self._http10 = False
        self._keep = True
        self._stopping = False
        self._invited = True
        self._framing: Framing = Counted(0)
        self._stream: BodyStream | None = None
        self._pieces: list[bytes] = []
        self._limit = 0
        self._taken = 0
        self._backlog = b""
        self._reading = True
        self._eof = False
        self._answer: asyncio.Future[Response] | None = None
        self._sending = False
        self._touched = True
        self._since = 0.0

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up a new connection."""
        # uvloop's transports are no subclasses of asyncio's.
        transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._hub.limits.write_buffer)
        self._transport = transport
        self._out = Outlet(transport)
        self._reader = HeadReader(self._hub.limits, _peer(transport))
        self._hub.join(self)

    def data_received(self, data: bytes) -> None:
        """Work through a segment, step by step."""
        try:
            while data:
                data = _STEPS[self._phase](self, data)
        except RefusedError as refusal:
            self._refuse(refusal)

    def eof_received(self) -> bool:
        """Answer what was asked completely; give up what was not."""
        self._eof = True
        if self._phase is Phase.STREAM:
            self._end_stream(ClientGoneError("the client stopped sending within a body"))
            return False
        return self._phase is Phase.ANSWER or self._sending or bool(self._backlog)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader of a body; leave a handler to finish."""
        self._phase = Phase.CLOSED
        self._end_stream(ClientGoneError("the client closed the connection within a body"))
        self._out.resume()
        self._reader.close()
        self._pieces = []
        self._backlog = b""
        self._hub.leave(self)

    def pause_writing(self) -> None:
        """Begin nothing more for a client that does not take its answers."""
        self._out.pause()
        self._touched = True

    def resume_writing(self) -> None:
        """Go on with what waits."""
        self._out.resume()
        self._proceed()

    # Steps: each takes bytes in its phase and returns those that it leaves to the next.

    def _take_head(self, data: bytes) -> bytes:
        if self._out.paused:
            return self._hold_back(data)
        was_started = self._reader.started
        message, rest = self._reader.feed(data)
        if message is not None:
            self._begin(message)
        elif not was_started:
            self._touched = True
        return rest

    def _take_collected(self, data: bytes) -> bytes:
        content, rest = self._framing.take(data)
        self._touched = True
        self._taken += len(content)
        if self._taken > self._limit:
            raise body_too_large(self._limit)
        if not self._framing.done:
            self._pieces.append(content)
            return rest
        if self._pieces:
            self._pieces.append(content)
            content, self._pieces = b"".join(self._pieces), []
        self._phase = Phase.ANSWER
        self._ask(Request(self._head, content))
        return rest

    def _take_streamed(self, data: bytes) -> bytes:
        assert self._stream is not None
        content, rest = self._framing.take(data)
        self._touched = True
        self._stream.feed(content)
        if self._framing.done:
            self._phase = Phase.ANSWER
            self._end_stream(None)
        return rest

    def _hold_back(self, data: bytes) -> bytes:
        self._backlog += data
        self.hold()
        return b""

    def _take_drained(self, data: bytes) -> bytes:
        _, rest = self._framing.take(data)
        self._touched = True
        self._taken += len(data) - len(rest)
        if self._framing.done:
            self._phase = Phase.ANSWER
            if not self._sending:
                self._next()
        elif self._taken > self._limit:
            self._stop_draining()
        return rest

    def _drop(self, _data: bytes) -> bytes:
        return b""

    # Requests.

    def _begin(self, message: Message) -> None:
        head, length, keep_alive, self._http10, expects = message
        self._head = head
        self._keep = keep_alive and not self._stopping
        self._invited = not expects
        self._phase = Phase.ANSWER
        try:
            limit = self._app.body_limit(head)
        except Exception as error:  # noqa: BLE001 - whatever the application raises is a 500
            if length != 0:
                self._keep, self._phase = False, Phase.LINGER
            self._fail(error)
            return
        if length != 0:
            self._framing = Chunked() if length is None else Counted(length)
        if limit is None:
            self._begin_stream(length)
        elif length == 0:
            self._ask(Request(head))
        else:
            self._begin_collected(length, limit)

    def _begin_collected(self, length: int | None, limit: int) -> None:
        if length is not None and length > limit:
            raise body_too_large(limit)
        self._limit, self._taken = limit, 0
        self._phase = Phase.COLLECT
        self.invite()

    def _begin_stream(self, length: int | None) -> None:
        stream = BodyStream(self, length, self._hub.limits.body_buffer)
        if length == 0:
            stream.end()
        else:
            self._stream = stream
            self._phase = Phase.STREAM
        self._ask(Request(self._head, stream=stream))

    def _ask(self, request: Request) -> None:
        try:
            answer = self._app.handle(request)
        except Exception as error:  # noqa: BLE001 - whatever the application raises is a 500
            self._fail(error)
            return
        if isinstance(answer, Response):
            self._respond(answer)
            return
        future = asyncio.ensure_future(answer, loop=self._hub.loop)
        self._answer = future
        future.add_done_callback(self._answered)
        self._hub.run(future)

    def _answered(self, future: asyncio.Future[Response]) -> None:
        error = _error_of(future)
        if self._answer is not future or self._phase is Phase.CLOSED:
            if error is not None and not isinstance(error, _GONE):
                self._log_failure(error)
            return
        self._answer = None
        if error is None:
            self._respond(future.result())
        else:
            self._fail(error)
        self._proceed()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ClientGoneError):
            self._transport.close()
            return
        self._keep = self._keep and self._phase is not Phase.STREAM
        if isinstance(error, BodyTooLargeError):
            self._respond(error_response(413, str(error) or "the request body is too large"))
        else:
            self._log_failure(error)
            self._respond(error_response(500, "internal error"))

    def _log_failure(self, error: BaseException) -> None:
        # The path alone: a presigned query carries a signature.
        _log.error("%s %s failed", self._head.method, self._head.path, exc_info=error)

    def _refuse(self, refusal: RefusedError) -> None:
        if self._phase is Phase.DRAIN:
            self._stop_draining()
            return
        self._answer = None
        self._end_stream(ClientGoneError(refusal.message))
        self._keep = False
        self._pieces = []
        self._phase = Phase.LINGER
        self._respond(error_response(refusal.status, refusal.message))

    # Answers.

    def _respond(self, response: Response) -> None:
        if self._phase is Phase.STREAM:
            self._leave_body()
        head_only = self._head.method == "HEAD"
        body = response.body
        try:
            head = self._encode(response, head_only=head_only)
            if isinstance(body, FileSlice) and not head_only:
                self._send(head, OpenSlice(body))
                return
        except (ValueError, OSError) as error:
            self._log_failure(error)
            response, body = error_response(500, "internal error"), b""
            head, body = self._encode(response, head_only=head_only), response.body
        assert isinstance(body, bytes) or head_only
        self._out.write(head, b"" if head_only or isinstance(body, FileSlice) else body)
        self._finish()

    def _encode(self, response: Response, *, head_only: bool) -> bytes:
        if not self._keep:
            connection = "Connection: close\r\n"
        else:
            connection = "Connection: keep-alive\r\n" if self._http10 else ""
        return encode_head(response, self._hub.date(), connection, head_only=head_only)

    def _leave_body(self) -> None:
        """Decide about a body that the application did not read: drain a little, or close."""
        remaining = self._framing.remaining
        too_much = remaining is not None and remaining > self._hub.limits.drain
        if too_much or not self._invited:
            self._keep = False
        assert self._stream is not None
        self._stream.discard()
        self._stream = None
        self._limit, self._taken = self._hub.limits.drain, 0
        self._phase = Phase.DRAIN
        self.release()

    def _send(self, head: bytes, file: OpenSlice) -> None:
        self._sending = True
        task = self._hub.loop.create_task(self._send_file(head, file))
        self._hub.run(task)

    async def _send_file(self, head: bytes, file: OpenSlice) -> None:
        try:
            await self._out.send_file(head, file)
        except (OSError, EOFError) as error:
            # Content-Length is promised already: only a broken connection tells the client.
            self._log_failure(error)
            self._transport.abort()
        finally:
            file.close()
        self._sending = False
        if self._phase is not Phase.CLOSED:
            self._finish()
            self._proceed()

    def _finish(self) -> None:
        """Go on after an answer: to the rest of its body, the next request, or the end."""
        self._touched = True
        if not self._keep:
            self._close_gently()
        elif self._phase is not Phase.DRAIN:
            self._next()

    def _next(self) -> None:
        self._phase = Phase.HEAD
        self._head = _NO_HEAD
        if self._stopping:
            self._transport.close()

    def _proceed(self) -> None:
        """Take up what waited while a request was in flight."""
        if self._phase is not Phase.HEAD or self._out.paused or self._transport.is_closing():
            return
        data, self._backlog = self._backlog, b""
        self.release()
        self.data_received(data)
        if self._eof and self._phase is Phase.HEAD and not self._backlog:
            self._transport.close()

    def _stop_draining(self) -> None:
        self._keep = False
        if self._sending:
            self.hold()
        else:
            self._close_gently()

    def _close_gently(self) -> None:
        """Close; while a client may still be sending, not before it had time for the answer."""
        if self._phase is Phase.ANSWER or self._eof or self._transport.is_closing():
            self._phase = Phase.CLOSED
            self._transport.close()
            return
        self._phase = Phase.LINGER
        self._touched = True
        self._transport.write_eof()
        self.release()

    # The body's side of the connection (body.Flow).

    def invite(self) -> None:
        """Send 100 Continue to a client that waits for it."""
        if not self._invited:
            self._invited = True
            self._touched = True
            self._transport.write(CONTINUE)

    def hold(self) -> None:
        """Stop reading: TCP then holds the client back."""
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def release(self) -> None:
        """Read again."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._touched = True
            self._transport.resume_reading()

    def _end_stream(self, error: Exception | None) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(error)

    # The server's side.

    def stop(self) -> None:
        """Close when idle, else after the answer in flight."""
        self._stopping = True
        self._keep = False
        if self._phase is Phase.HEAD and not self._reader.started and not self._backlog:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Close what has waited too long; called every `Limits.sweep_seconds`."""
        if self._out.paused and self._out.progressed():
            self._touched = True
        if self._touched:
            self._touched = False
            self._since = now
        elif now - self._since > self._patience():
            self._expire()

    def _patience(self) -> float:
        limits = self._hub.limits
        if self._out.paused:
            return limits.stall_seconds
        match self._phase:
            case Phase.HEAD:
                return limits.header_seconds if self._reader.started else limits.idle_seconds
            case Phase.COLLECT | Phase.DRAIN:
                return limits.stall_seconds
            case Phase.STREAM if self._reading and self._invited:
                return limits.stall_seconds
            case Phase.LINGER:
                return limits.linger_seconds
            case _:
                return float("inf")  # the handler's time is its own

    def _expire(self) -> None:
        if self._out.paused or self._phase is Phase.LINGER:
            self._transport.abort()
        elif self._phase in {Phase.COLLECT, Phase.STREAM} or self._reader.started:
            self._refuse(RefusedError(408, "the request did not come to its end in time"))
        else:
            self._transport.close()


_STEPS = (
    Connection._take_head,
    Connection._take_collected,
    Connection._take_streamed,
    Connection._hold_back,
    Connection._take_drained,
    Connection._drop,
    Connection._drop,
)


def _error_of(future: asyncio.Future[Response]) -> BaseException | None:
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def _peer(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else ""
