"""One HTTP/2 connection of a client: frames in, requests to the application, responses out.

A request that its client resets ends immediately, but its cancelled handler may run for a moment:
`Http2Limits.resets` limits how often that happens.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from .frame_handler import FrameHandler
from .memory import Memory
from .peer import peer_name
from .server_state import ServerState
from .stream import Pending, Stream, WholeRequest
from .streams import Streams
from .wire import frames
from .wire.errors import ConnectionFault, ErrorCode
from .wire.header_blocks import ResponseBlocks
from .wire.request_head import RequestHead
from .wire.settings import Setting, settings_frame
from .write_flow import WriteFlow

logger = logging.getLogger(__name__)

_DRAIN_PING: Final = b"draining"
_KEEPALIVE_PING: Final = b"are you?"
_DRAIN_SECONDS = 1.0  # for the response to the PING between the two GOAWAYs


class Connection(asyncio.Protocol):
    """One client's connection."""

    answer: Callable[[Sequence[tuple[Stream, bytes]], ResponseBlocks], None]

    def __init__(self, state: ServerState) -> None:
        self._server = state
        self._app = state.app
        self._limits = state.limits
        self._streams = Streams()
        self._is_closing = False
        self._draining_since: float | None = None
        self._has_received = True
        self._reads = True
        self._ping_sent_at: float | None = None
        self._opened_at = self._active_at = self._received_at = state.loop.time()
        self._write_progress_at = self._closing_since = self._opened_at
        self.peer = ""
        self.memory = Memory(state.limits.connection_memory, state.memory)

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the SETTINGS of this server to a new client."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._limits.write_buffer)
        self.peer = peer_name(transport)
        self._out = WriteFlow(transport, self._server.loop, self._limits, self._responses_sent)
        self.answer = self._out.answer
        self._in = FrameHandler(self, self._out, self._streams, self._limits, self._server.loop)
        self._server.join(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and not _speaks_http2(tls):
            logger.info("no HTTP/2 with %s: the client did not agree to h2 by ALPN", self.peer)
            self._is_closing = True
            transport.close()
            return
        self._out.control(settings_frame(_own_settings(self._server)))
        widened = self._limits.connection_window - frames.DEFAULT_WINDOW
        if widened:
            self._out.control(frames.window_update(0, widened))

    def data_received(self, data: bytes) -> None:
        """Handle received bytes, frame by frame."""
        self._has_received = True
        self._handle(self._in.take, data)

    def _handle(self, handle: Callable[..., bool], *arguments: bytes) -> None:
        """Handle frames; leave some to the loop's next turn, after the other connections."""
        if self._is_closing:
            return
        try:
            has_more = handle(*arguments)
        except ConnectionFault as fault:
            self._fail(fault)
            has_more = False
        if self._transport.is_closing():
            return
        if has_more:
            # libuv would read 32 times in this turn while bytes keep coming.
            self._reads = False
            self._transport.pause_reading()
            self._server.loop.call_soon(self._handle, self._in.take_more)
        elif not self._reads:
            self._reads = True
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Close: a client that stops sending cannot acknowledge data."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Report the lost client to the receivers of its open requests."""
        self._is_closing = True
        self._close_streams()
        self._server.leave(self)

    def pause_writing(self) -> None:
        """Keep further responses at their streams."""
        self._out.pause()
        self._write_progress_at = self._server.loop.time()

    def resume_writing(self) -> None:
        """Continue with the queued frames."""
        self._out.resume()

    # Called by the server.

    def stop(self) -> None:
        """Ask the client to open no further streams, and close after the responses in flight.

        A first GOAWAY allows for requests in transit; when the client has answered the PING behind
        it, the second names the last accepted request (RFC 9113, section 6.8).
        """
        if self._draining_since is None and not self._is_closing:
            self._draining_since = self._server.loop.time()
            self._control(frames.goaway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR))
            self._control(frames.ping(_DRAIN_PING))

    def abort(self) -> None:
        """Close immediately."""
        self._is_closing = self._in.is_closing = True
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Close if a timeout has expired, and reset stalled streams."""
        if self._is_closing:
            if now - self._closing_since > self._limits.linger_seconds:
                self._transport.abort()
            return
        reason = self._overdue(now)
        if reason:
            logger.info("the connection of %s is closed: %s", self.peer, reason)
            self.abort()
            return
        self._sweep_streams(now)
        self._keep_alive(now)
        if self._draining_since is not None and now - self._draining_since > _DRAIN_SECONDS:
            self._finish_drain()
            self._close_if_drained()
        elif not self._streams and now - self._active_at > self._limits.idle_seconds:
            self.stop()

    def _overdue(self, now: float) -> str:
        limits = self._limits
        if not self._in.has_settings and now - self._opened_at > limits.handshake_seconds:
            return "no SETTINGS came"
        block_since = self._in.block_since
        if block_since is not None and now - block_since > limits.header_seconds:
            return "a header block was not completed"
        if self._out.paused:
            if self._out.progressed():
                self._write_progress_at = now
            elif now - self._write_progress_at > limits.stall_seconds:
                return "the client does not read"
        sent_at = self._ping_sent_at
        if sent_at is not None and now - sent_at > limits.keepalive_timeout_seconds:
            return "the client does not answer PING"
        return ""

    def _keep_alive(self, now: float) -> None:
        if self._has_received:
            self._has_received = False
            self._received_at = now
        elif (
            self._ping_sent_at is None and now - self._received_at > self._limits.keepalive_seconds
        ):
            self._ping_sent_at = now
            self._control(frames.ping(_KEEPALIVE_PING))

    def _sweep_streams(self, now: float) -> None:
        if self._streams:
            self._active_at = now
        for stream in self._streams:
            receiver = stream.receiver
            awaits_body = stream.head is not None if receiver is None else receiver.awaits_body
            waits = awaits_body and not stream.remote_ended
            if stream.has_progress or not (waits or stream.pending):
                stream.has_progress, stream.progress_at = False, now
            elif now - stream.progress_at > self._limits.stall_seconds:
                self.drop(stream, ErrorCode.CANCEL)

    # Called by streams.

    def flush(self) -> None:
        """Write immediately, not at the end of the turn."""
        self._out.flush()

    def enqueue(self, stream: Stream, item: Pending) -> None:
        """Queue a frame of a stream."""
        self._out.enqueue(stream, item)

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Close a stream with RST_STREAM."""
        self._streams.close(stream)
        self._control(frames.rst_stream(stream.number, code))
        self._close_if_drained()

    def release(self, stream: Stream, count: int) -> None:
        """Widen a stream's window once half of it is used."""
        stream.unreleased += count
        if stream.unreleased * 2 >= self._limits.stream_window:
            stream.receive_window += stream.unreleased
            self._control(frames.window_update(stream.number, stream.unreleased))
            stream.unreleased = 0

    def _responses_sent(self, streams: Sequence[Stream]) -> None:
        # A RST_STREAM immediately after the response would make grpcio's client lose the status.
        for stream in streams:
            self._streams.close(stream, reset_sent=False)
        if not self._in.accepts_streams:
            self._close_if_drained()

    # Called by the frame handler.

    def open(self, stream: Stream, head: RequestHead) -> None:
        """Begin a request."""
        stream.receiver = receiver = self._app.open(stream, head)
        if stream.remote_ended and not stream.is_closed:
            receiver.end()

    def begin(self, requests: Sequence[WholeRequest]) -> None:
        """Begin requests that arrived with their bodies."""
        self._app.begin(requests)

    def drop(self, stream: Stream, code: ErrorCode) -> None:
        """Close a stream with RST_STREAM, and notify its receiver."""
        self.reset(stream, code)
        if stream.receiver is not None:
            stream.receiver.aborted()

    def was_reset(self, stream: Stream) -> None:
        """Close a stream after its client has reset it."""
        stream.remote_ended = True
        self._streams.close(stream)
        if stream.receiver is not None:
            stream.receiver.aborted()
        self._close_if_drained()

    def ping_acknowledged(self, payload: bytes) -> None:
        """Handle the response to a PING."""
        self._ping_sent_at = None
        if payload == _DRAIN_PING and self._draining_since is not None:
            self._finish_drain()

    # Closing.

    def _control(self, frame: bytes) -> None:
        try:
            self._out.control(frame)
        except ConnectionFault as fault:
            self._fail(fault)

    def _fail(self, fault: ConnectionFault) -> None:
        if self._is_closing:
            return
        logger.info(
            "the connection of %s is closed: %s (%s)", self.peer, fault.text, fault.code.name
        )
        if not self._in.has_preface:
            self.abort()
            return
        self._finish(fault.code, fault.text)

    def _finish_drain(self) -> None:
        if self._in.accepts_streams:
            self._in.accepts_streams = False
            self._control(frames.goaway(self._streams.last, ErrorCode.NO_ERROR))
            self._close_if_drained()

    def _close_if_drained(self) -> None:
        if not (self._in.accepts_streams or self._streams) and not self._is_closing:
            self._server.loop.call_soon(self._close_when_sent)

    def _close_when_sent(self) -> None:
        if not self._is_closing and self._out.is_empty:
            self._is_closing = True
            self._end_sending()

    def _finish(self, code: ErrorCode, text: str) -> None:
        """Send GOAWAY with the reason, and give the client time to read it."""
        self._is_closing = True
        self._close_streams()
        self._out.finish(frames.goaway(self._streams.last, code, text))
        self._end_sending()

    def _end_sending(self) -> None:
        self._in.is_closing = True
        self._closing_since = self._server.loop.time()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            # Closing with unread bytes would reset the connection: the client would lose data.
            self._transport.write_eof()
        else:
            self._transport.close()

    def _close_streams(self) -> None:
        for stream in self._streams:
            self._streams.close(stream)
            if stream.receiver is not None:
                stream.receiver.aborted()


def _own_settings(state: ServerState) -> Mapping[Setting, int]:
    limits = state.limits
    return {
        Setting.MAX_CONCURRENT_STREAMS: limits.streams,
        Setting.INITIAL_WINDOW_SIZE: limits.stream_window,
        Setting.MAX_FRAME_SIZE: limits.frame_size,
        Setting.MAX_HEADER_LIST_SIZE: limits.header_list,
    }


def _speaks_http2(tls: ssl.SSLObject) -> bool:
    return tls.selected_alpn_protocol() == "h2"
