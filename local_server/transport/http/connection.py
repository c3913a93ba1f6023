"""HTTP/1.1 on one connection (RFC 9112): one request after the other, answered by the application.

One request of a connection is in flight at a time. Later bytes wait unread, so that pipelined
requests are answered in order and cost no memory. A small request that the application answers
directly takes no task, no future, and no copy of the body.

A client that leaves does not cancel its request: a prediction cannot be stopped half-way, and an
operation on the offline clouds must not be. The application learns of it only as ClientGoneError
from the body it reads; a response without a client is dropped.
"""

from __future__ import annotations

import asyncio
from typing import cast

from ...deferred import Deferred, outcome_of
from ..types import BodyTooLargeError, ClientGoneError, Head, Request, Response, Together
from .body import BodyStream, Gathered
from .connection_state import ConnectionState, idle_timeout
from .flow_control import IdleTimer, OpenBody, ReadFlow, WriteFlow
from .framing import Chunked, Counted, Framing
from .http_errors import HttpError, body_too_large, error_response, internal_error, log_failure
from .known_heads import ParsedHead
from .request_parser import RequestParser
from .responses import connection_line
from .server_state import Answer, ServerState

_NO_HEAD = Head("", "")
_NO_BODY = Counted(0)
_IN_BODY = {ConnectionState.GATHER, ConnectionState.STREAM}
_GONE = (ClientGoneError, asyncio.CancelledError)


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, state: ServerState) -> None:
        self._server = state
        self._app = state.app
        self._state = ConnectionState.HEAD
        self._head = _NO_HEAD
        self._http10 = False
        self._keep = True
        self._stopping = False
        self._eof = False
        self._framing: Framing = _NO_BODY
        self._gathered: Gathered | None = None
        self._stream: BodyStream | None = None
        self._to_drain = 0
        self._request: Request | None = None
        self._together: Together | None = None
        self._sending = False
        self._idle = IdleTimer()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up a new connection."""
        # uvloop's transports are not subclasses of asyncio's.
        transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._server.limits.write_buffer)
        self._transport = transport
        self._in = ReadFlow(transport, self._idle)
        self._out = WriteFlow(transport, self._server.date)
        self._reader = RequestParser(self._server.limits, self._server.heads)
        self._server.join(self)

    def data_received(self, data: bytes) -> None:
        """Process a segment, state by state."""
        try:
            while data:
                data = self._HANDLERS[self._state](self, data)
        except HttpError as refusal:
            self._refuse(refusal)

    def eof_received(self) -> bool:
        """Answer requests that have arrived completely; drop an incomplete one."""
        self._eof = True
        return self._owes_answer() and self._out.can_end

    def _owes_answer(self) -> bool:
        """Return whether a client that stopped sending is still owed a response."""
        if self._state is ConnectionState.STREAM:
            self._end_stream(ClientGoneError("the client stopped sending within a body"))
        elif self._state is ConnectionState.DRAIN:
            self._keep = False
        if self._state is ConnectionState.HEAD:
            return self._sending or self._in.waiting
        return self._state is ConnectionState.ANSWER or self._sending

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Fail the reader of a body; let a running handler finish."""
        self._state = ConnectionState.CLOSED
        self._request = None
        self._end_stream(ClientGoneError("the client closed the connection within a body"))
        self._out.resume()
        self._reader.close()
        self._gathered = None
        self._server.leave(self)

    def pause_writing(self) -> None:
        """Start no further request while the client does not read its responses."""
        self._out.pause()
        self._idle.moved = True

    def resume_writing(self) -> None:
        """Continue with what was held back."""
        self._out.resume()
        self._proceed()

    # Handlers: each takes bytes in its state and returns those it leaves to the next.

    def _take_head(self, data: bytes) -> bytes:
        if self._out.paused:
            return self._keep_bytes(data)
        self._idle.moved |= not self._reader.started
        message, rest = self._reader.feed(data)
        return rest if message is None else self._begin(message, rest)

    def _take_gathered(self, data: bytes) -> bytes:
        assert self._gathered is not None
        content, rest = self._framing.take(data)
        self._idle.moved = True
        self._gathered.add(content)
        if self._framing.done:
            self._state = ConnectionState.ANSWER
            content, self._gathered = self._gathered.content(), None
            self._ask(Request(self._head, content))
        return rest

    def _take_streamed(self, data: bytes) -> bytes:
        assert self._stream is not None
        content, rest = self._framing.take(data)
        self._idle.moved = True
        self._stream.feed(content)
        if self._framing.done:
            self._state = ConnectionState.ANSWER
            self._end_stream(None)
        return rest

    def _keep_bytes(self, data: bytes) -> bytes:
        self._in.keep(data)
        return b""

    def _take_drained(self, data: bytes) -> bytes:
        _, rest = self._framing.take(data)
        self._idle.moved = True
        self._to_drain -= len(data) - len(rest)
        if self._framing.done:
            self._state = ConnectionState.ANSWER
            if not self._sending:
                self._finish()
        elif self._to_drain < 0:
            self._stop_draining()
        return rest

    def _drop(self, _data: bytes) -> bytes:
        return b""

    # Requests.

    def _begin(self, message: ParsedHead, data: bytes) -> bytes:
        """Begin a request, and return the bytes that are left of those after its head."""
        head, length, keep_alive, self._http10, self._in.invited, self._together = message
        self._head = head
        self._keep = keep_alive and not self._stopping
        self._state = ConnectionState.ANSWER
        if self._together is None or length is None or len(data) < length:
            self._begin_body(head, length)
            return data
        self._ask(Request(head, data[:length]))
        return data[length:]

    def _begin_body(self, head: Head, length: int | None) -> None:
        try:
            limit = self._app.body_limit(head)
        except Exception as error:  # noqa: BLE001 - whatever the application raises is a 500
            if length != 0:
                self._keep, self._state = False, ConnectionState.LINGER
            self._fail(error)
            return
        if length != 0:
            self._framing = Chunked() if length is None else Counted(length)
        if limit is None:
            self._begin_stream(length)
        elif length == 0:
            self._ask(Request(head))
        else:
            self._begin_gathered(length, limit)

    def _begin_gathered(self, length: int | None, limit: int) -> None:
        if length is not None and length > limit:
            raise body_too_large(limit)
        self._gathered = Gathered(limit)
        self._state = ConnectionState.GATHER
        self._in.invite()

    def _begin_stream(self, length: int | None) -> None:
        stream = BodyStream(self._in, length, self._server.limits.body_buffer)
        if length == 0:
            stream.end()
        else:
            self._stream = stream
            self._state = ConnectionState.STREAM
        request = self._request = Request(self._head, stream=stream)
        self.take(request, self._server.answer(request))

    def _ask(self, request: Request) -> None:
        self._request = request
        self._server.ask(self, request, self._together)

    def take(self, request: Request, answer: Answer) -> None:
        """Take the application's response, its exception, or an awaitable of one."""
        if isinstance(answer, (Response, Exception)):
            self._settle(request, answer)
            return
        if isinstance(answer, Deferred):
            self._server.expect(answer)
            answer.then(lambda outcome: self._settle(request, outcome))
            return
        future = asyncio.ensure_future(answer, loop=self._server.loop)
        future.add_done_callback(lambda done: self._settle(request, outcome_of(done)))
        self._server.run(future)

    def _settle(self, request: Request, outcome: Response | BaseException) -> None:
        """Answer a request, unless it was refused in the meantime or its client is gone."""
        if self._request is not request:
            if isinstance(outcome, BaseException) and not isinstance(outcome, _GONE):
                log_failure(request.head, outcome)
            return
        self._request = None
        if isinstance(outcome, Response):
            self._respond(outcome)
        else:
            self._fail(outcome)
        self._proceed()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ClientGoneError):
            self._transport.close()
            return
        self._keep = self._keep and self._state is not ConnectionState.STREAM
        if isinstance(error, BodyTooLargeError):
            self._respond(error_response(413, str(error) or "the request body is too large"))
        else:
            log_failure(self._head, error)
            self._respond(internal_error())

    def _refuse(self, refusal: HttpError) -> None:
        if self._state is ConnectionState.DRAIN:
            self._stop_draining()
            return
        self._request = None
        self._end_stream(ClientGoneError(refusal.message))
        self._gathered = None
        self._keep = False
        self._state = ConnectionState.LINGER
        self._respond(error_response(refusal.status, refusal.message))

    # Responses.

    def _respond(self, response: Response) -> None:
        if self._state is ConnectionState.STREAM:
            self._leave_body()
        self._keep = self._keep and not response.is_live
        line = b"" if self._keep and not self._http10 else connection_line(keep=self._keep)
        file = self._out.answer(self._head, response, line)
        if file is None:
            self._finish()
        else:
            self._sending = True
            self._server.run(self._server.loop.create_task(self._send(file)))

    def _leave_body(self) -> None:
        """Decide about a body that the application did not read: drain a little, or close."""
        remaining = self._framing.remaining
        too_much = remaining is not None and remaining > self._server.limits.drain
        if too_much or not self._in.invited:
            self._keep = False
        assert self._stream is not None
        self._stream.discard()
        self._stream = None
        self._to_drain = self._server.limits.drain
        self._state = ConnectionState.DRAIN
        self._in.release()

    async def _send(self, file: OpenBody) -> None:
        try:
            await self._out.send(file)
        except (OSError, EOFError) as error:
            # Content-Length is already sent: only a broken connection tells the client.
            log_failure(self._head, error)
            self._transport.abort()
            return
        finally:
            file.close()
            self._sending = False
        if self._state is not ConnectionState.CLOSED:
            self._finish()
            self._proceed()

    def _finish(self) -> None:
        """Continue after a response: drain the body, take the next request, or close."""
        self._idle.moved = True
        if not self._keep:
            self._close_gently()
        elif self._state is not ConnectionState.DRAIN:
            self._state = ConnectionState.HEAD
            self._head = _NO_HEAD
            if self._stopping:
                self._transport.close()

    def _proceed(self) -> None:
        """Process the bytes that arrived while a request was in flight."""
        is_blocked = self._out.paused or self._transport.is_closing()
        if is_blocked or self._state is not ConnectionState.HEAD:
            return
        if not self._in.reading:
            self.data_received(self._in.take_back())
        if self._eof and not self._owes_answer():
            self._transport.close()

    def _stop_draining(self) -> None:
        self._keep = False
        if self._sending:
            self._in.hold()
        else:
            self._close_gently()

    def _close_gently(self) -> None:
        """Close, but only after the client had time to read the response.

        A close with unread bytes, or bytes that arrive after it, resets the connection, and the
        reset may overtake the answer (RFC 9112 9.6).
        """
        is_whole = self._state is ConnectionState.ANSWER and not self._out.can_end
        if self._eof or is_whole or self._transport.is_closing():
            self._state = ConnectionState.CLOSED
            self._transport.close()
            return
        self._state = ConnectionState.LINGER
        self._idle.moved = True
        self._out.end()
        self._in.release()

    def _end_stream(self, error: Exception | None) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(error)

    # The server's side.

    def stop(self) -> None:
        """Close if idle, else after the response in flight."""
        self._stopping = True
        self._keep = False
        is_idle = not (self._reader.started or self._in.waiting)
        if is_idle and self._state is ConnectionState.HEAD:
            self._transport.close()

    def abort(self) -> None:
        """Close immediately."""
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Close if a timeout has expired; called every `Limits.sweep_seconds`."""
        if self._out.progressed():
            self._idle.moved = True
        if self._idle.overdue(now, self._idle_timeout()):
            self._expire()

    def _idle_timeout(self) -> float:
        limits = self._server.limits
        if self._out.unsent:
            return limits.stall_seconds
        held = not (self._in.reading and self._in.invited)
        if self._sending or (held and self._state is ConnectionState.STREAM):
            return float("inf")  # the server is not waiting for the client
        return idle_timeout(self._state, limits, head_started=self._reader.started)

    def _expire(self) -> None:
        lingers = self._state is ConnectionState.LINGER
        if self._out.unsent or lingers or self._transport.is_closing():
            self._transport.abort()
        elif self._reader.started or self._state in _IN_BODY:
            self._refuse(HttpError(408, "the request did not come to its end in time"))
        else:
            self._transport.close()

    _HANDLERS = (
        _take_head,
        _take_gathered,
        _take_streamed,
        _keep_bytes,
        _take_drained,
        _drop,
        _drop,
    )
