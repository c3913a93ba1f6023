"""HTTP/1.1 on one connection (RFC 9112): requests in turn, each asked of the application.

One request of a connection is in flight at a time. What comes behind it waits unread, so that
pipelined requests are answered in order and cost no memory. A small request that the application
answers at once takes no task, no future, and no copy of the body.

A client that leaves does not cancel its request: a prediction cannot be stopped half-way, and an
operation on the offline clouds must not be. The application learns of it where it matters, as
ClientGoneError from the body it reads; an answer nobody waits for is dropped.
"""

from __future__ import annotations

import asyncio
from typing import cast

from ..types import BodyTooLargeError, ClientGoneError, Head, Request, Response
from .body import BodyStream, Gathered
from .connection_state import Phase, patience
from .framing import Chunked, Counted, Framing
from .http_errors import RefusedError, body_too_large, error_response, internal_error, log_failure
from .read_flow import Inlet, Watch
from .request_parser import HeadReader, Message
from .server_state import Answer, Hub
from .write_flow import OpenSlice, Outlet

_NO_HEAD = Head("", "")
_NO_BODY = Counted(0)
_GONE = (ClientGoneError, asyncio.CancelledError)


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
        self._eof = False
        self._framing: Framing = _NO_BODY
        self._gathered: Gathered | None = None
        self._stream: BodyStream | None = None
        self._to_drain = 0
        self._asked: Request | None = None
        self._sending = False
        self._watch = Watch()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up a new connection."""
        # uvloop's transports are no subclasses of asyncio's.
        transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._hub.limits.write_buffer)
        self._transport = transport
        self._in = Inlet(transport, self._watch)
        self._out = Outlet(transport, self._hub.date)
        self._reader = HeadReader(self._hub.limits, self._in.peer)
        self._hub.join(self)

    def data_received(self, data: bytes) -> None:
        """Work through a segment, step by step."""
        try:
            while data:
                data = self._STEPS[self._phase](self, data)
        except RefusedError as refusal:
            self._refuse(refusal)

    def eof_received(self) -> bool:
        """Answer what was asked completely; give up what was not."""
        self._eof = True
        return self._owes_answer() and self._out.can_end

    def _owes_answer(self) -> bool:
        """Say whether there is something to do still for a client that stopped sending."""
        if self._phase is Phase.STREAM:
            self._end_stream(ClientGoneError("the client stopped sending within a body"))
        elif self._phase is Phase.DRAIN:
            self._keep = False
        behind = self._phase is Phase.HEAD and self._in.waiting
        return self._phase is Phase.ANSWER or self._sending or behind

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the reader of a body; leave a handler to finish."""
        self._phase = Phase.CLOSED
        self._asked = None
        self._end_stream(ClientGoneError("the client closed the connection within a body"))
        self._out.resume()
        self._reader.close()
        self._gathered = None
        self._hub.leave(self)

    def pause_writing(self) -> None:
        """Begin nothing more for a client that does not take its answers."""
        self._out.pause()
        self._watch.moved = True

    def resume_writing(self) -> None:
        """Go on with what waits."""
        self._out.resume()
        self._proceed()

    # Steps: each takes bytes in its phase and returns those that it leaves to the next.

    def _take_head(self, data: bytes) -> bytes:
        if self._out.paused:
            return self._put_off(data)
        was_started = self._reader.started
        message, rest = self._reader.feed(data)
        if message is not None:
            self._begin(message)
        elif not was_started:
            self._watch.moved = True
        return rest

    def _take_gathered(self, data: bytes) -> bytes:
        assert self._gathered is not None
        content, rest = self._framing.take(data)
        self._watch.moved = True
        self._gathered.add(content)
        if self._framing.done:
            self._phase = Phase.ANSWER
            content, self._gathered = self._gathered.content(), None
            self._ask(Request(self._head, content))
        return rest

    def _take_streamed(self, data: bytes) -> bytes:
        assert self._stream is not None
        content, rest = self._framing.take(data)
        self._watch.moved = True
        self._stream.feed(content)
        if self._framing.done:
            self._phase = Phase.ANSWER
            self._end_stream(None)
        return rest

    def _put_off(self, data: bytes) -> bytes:
        self._in.put_off(data)
        return b""

    def _take_drained(self, data: bytes) -> bytes:
        _, rest = self._framing.take(data)
        self._watch.moved = True
        self._to_drain -= len(data) - len(rest)
        if self._framing.done:
            self._phase = Phase.ANSWER
            if not self._sending:
                self._finish()
        elif self._to_drain < 0:
            self._stop_draining()
        return rest

    def _drop(self, _data: bytes) -> bytes:
        return b""

    # Requests.

    def _begin(self, message: Message) -> None:
        head, length, keep_alive, self._http10, self._in.invited = message
        self._head = head
        self._keep = keep_alive and not self._stopping
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
            self._begin_gathered(length, limit)

    def _begin_gathered(self, length: int | None, limit: int) -> None:
        if length is not None and length > limit:
            raise body_too_large(limit)
        self._gathered = Gathered(limit)
        self._phase = Phase.GATHER
        self._in.invite()

    def _begin_stream(self, length: int | None) -> None:
        stream = BodyStream(self._in, length, self._hub.limits.body_buffer)
        if length == 0:
            stream.end()
        else:
            self._stream = stream
            self._phase = Phase.STREAM
        request = self._asked = Request(self._head, stream=stream)
        self.take(request, self._hub.answer(request))

    def _ask(self, request: Request) -> None:
        self._asked = request
        self._hub.ask(self, request)

    def take(self, request: Request, answer: Answer) -> None:
        """Take what the application answers, or what will."""
        if isinstance(answer, Response | Exception):
            self._settle(request, answer)
            return
        future = asyncio.ensure_future(answer, loop=self._hub.loop)
        future.add_done_callback(lambda done: self._settle(request, _outcome(done)))
        self._hub.run(future)

    def _settle(self, request: Request, outcome: Response | BaseException) -> None:
        """Answer a request, unless it was refused meanwhile or its client is gone."""
        if self._asked is not request:
            if isinstance(outcome, BaseException) and not isinstance(outcome, _GONE):
                log_failure(request.head, outcome)
            return
        self._asked = None
        if isinstance(outcome, Response):
            self._respond(outcome)
        else:
            self._fail(outcome)
        self._proceed()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ClientGoneError):
            self._transport.close()
            return
        self._keep = self._keep and self._phase is not Phase.STREAM
        if isinstance(error, BodyTooLargeError):
            self._respond(error_response(413, str(error) or "the request body is too large"))
        else:
            log_failure(self._head, error)
            self._respond(internal_error())

    def _refuse(self, refusal: RefusedError) -> None:
        if self._phase is Phase.DRAIN:
            self._stop_draining()
            return
        self._asked = None
        self._end_stream(ClientGoneError(refusal.message))
        self._gathered = None
        self._keep = False
        self._phase = Phase.LINGER
        self._respond(error_response(refusal.status, refusal.message))

    # Answers.

    def _respond(self, response: Response) -> None:
        if self._phase is Phase.STREAM:
            self._leave_body()
        file = self._out.answer(self._head, response, self._connection_line())
        if file is None:
            self._finish()
        else:
            self._sending = True
            self._hub.run(self._hub.loop.create_task(self._send(file)))

    def _connection_line(self) -> str:
        if not self._keep:
            return "Connection: close\r\n"
        return "Connection: keep-alive\r\n" if self._http10 else ""

    def _leave_body(self) -> None:
        """Decide about a body that the application did not read: drain a little, or close."""
        remaining = self._framing.remaining
        too_much = remaining is not None and remaining > self._hub.limits.drain
        if too_much or not self._in.invited:
            self._keep = False
        assert self._stream is not None
        self._stream.discard()
        self._stream = None
        self._to_drain = self._hub.limits.drain
        self._phase = Phase.DRAIN
        self._in.release()

    async def _send(self, file: OpenSlice) -> None:
        try:
            await self._out.send(file)
        except (OSError, EOFError) as error:
            # Content-Length is promised already: only a broken connection tells the client.
            log_failure(self._head, error)
            self._transport.abort()
            return
        finally:
            file.close()
            self._sending = False
        if self._phase is not Phase.CLOSED:
            self._finish()
            self._proceed()

    def _finish(self) -> None:
        """Go on after an answer: to the rest of its body, the next request, or the end."""
        self._watch.moved = True
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
        self.data_received(self._in.take_up())
        if self._eof and not self._owes_answer():
            self._transport.close()

    def _stop_draining(self) -> None:
        self._keep = False
        if self._sending:
            self._in.hold()
        else:
            self._close_gently()

    def _close_gently(self) -> None:
        """Close, but not before the client had time to read the answer.

        A close with unread bytes, or bytes that come after it, resets the connection, and the
        reset may overtake the answer (RFC 9112 9.6).
        """
        nothing_comes = self._eof or (self._phase is Phase.ANSWER and not self._out.can_end)
        if nothing_comes or self._transport.is_closing():
            self._phase = Phase.CLOSED
            self._transport.close()
            return
        self._phase = Phase.LINGER
        self._watch.moved = True
        self._out.end()
        self._in.release()

    def _end_stream(self, error: Exception | None) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(error)

    # The server's side.

    def stop(self) -> None:
        """Close when idle, else after the answer in flight."""
        self._stopping = True
        self._keep = False
        if self._phase is Phase.HEAD and not self._reader.started and not self._in.waiting:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Close what has waited too long; called every `Limits.sweep_seconds`."""
        if self._out.progressed():
            self._watch.moved = True
        if self._watch.overdue(now, self._patience()):
            self._expire()

    def _patience(self) -> float:
        limits = self._hub.limits
        if self._out.unsent:
            return limits.stall_seconds
        held = not (self._in.reading and self._in.invited)
        if self._sending or (held and self._phase is Phase.STREAM):
            return float("inf")  # it is not the client who is awaited
        return patience(self._phase, limits, head_started=self._reader.started)

    def _expire(self) -> None:
        if self._out.unsent or self._phase is Phase.LINGER or self._transport.is_closing():
            self._transport.abort()
        elif self._phase in {Phase.GATHER, Phase.STREAM} or self._reader.started:
            self._refuse(RefusedError(408, "the request did not come to its end in time"))
        else:
            self._transport.close()

    _STEPS = (
        _take_head,
        _take_gathered,
        _take_streamed,
        _put_off,
        _take_drained,
        _drop,
        _drop,
    )


def _outcome(future: asyncio.Future[Response]) -> Response | BaseException:
    if future.cancelled():
        return asyncio.CancelledError()
    return future.exception() or future.result()
