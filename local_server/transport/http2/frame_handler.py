"""Handling of a client's frames, in their order. Source: RFC 9113, sections 5 and 6."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .allowance import Allowance
from .limits import Http2Limits
from .owner import Owner
from .receive_window import ReceiveWindow
from .small_requests import SmallRequests
from .stream import Stream
from .streams import Streams
from .wire import frames
from .wire.errors import ConnectionFault, ErrorCode, StreamFault, frame_size_error, protocol_error
from .wire.frames import ACK, END_HEADERS, END_STREAM, MAX_WINDOW, FrameCursor
from .wire.header_blocks import BlockDecoder
from .wire.request_head import MalformedError, RequestHead, check_trailers
from .wire.settings import Setting, read_settings
from .write_flow import WriteFlow

_FRAMES_PER_TURN = 512
_PING_SIZE = 8
_PRIORITY_SIZE = 5
_TINY_WINDOW = 16
"""A client that keeps a window below this size makes the server send a DATA frame for a few bytes.
The increment does not matter: grpcio widens large windows byte by byte."""


class FrameHandler:
    """Handles received frames: windows, settings, requests and their bodies."""

    def __init__(
        self,
        owner: Owner,
        out: WriteFlow,
        streams: Streams,
        limits: Http2Limits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._owner = owner
        self._out = out
        self._streams = streams
        self._limits = limits
        self._loop = loop
        self._preface_left: bytes = frames.PREFACE
        self._cursor = FrameCursor(limits.frame_size)
        self._blocks = BlockDecoder(limits.header_bytes)
        self._window = ReceiveWindow(limits.connection_window, out)
        self._small = SmallRequests(owner, out, streams, self._blocks.known, limits, self._window)
        # An incomplete header block: its stream, flags, and parts.
        self._block: tuple[int, int, list[bytes]] | None = None
        now = loop.time()
        self._resets = Allowance("resets", limits.resets, now)
        self._pings = Allowance("PING frames", limits.pings, now)
        self._settings = Allowance("SETTINGS frames", limits.settings, now)
        self._idle_frames = Allowance("frames without effect", limits.idle_frames, now)
        self.block_since: float | None = None
        """The time when the incomplete header block began; None if there is none."""
        self.has_settings = False
        """Whether the client has sent its preface and the SETTINGS after it."""
        self.accepts_streams = True
        """Whether further streams are opened; otherwise they are ignored."""
        self.is_closing = False
        """Whether further frames are ignored."""

    @property
    def has_preface(self) -> bool:
        """Return whether the client has sent the preface of HTTP/2."""
        return not self._preface_left

    def take(self, data: bytes) -> bool:
        """Handle received bytes; return whether frames are left for `take_more`.

        Raises ConnectionFault. No bytes may be taken before the frames that are left.
        """
        if self._preface_left:
            data = self._take_preface(data)
        self._cursor.push(data)
        return self.take_more()

    def take_more(self) -> bool:
        """Handle some of the frames that are left; return whether others may remain."""
        left = _FRAMES_PER_TURN
        while left > 0:
            if self._block is None and self.accepts_streams:
                left -= self._small.take(self._cursor, left)
                self._begin_requests()
            if self.is_closing or left <= 0:
                break
            frame = self._cursor.next()
            if frame is None:
                return False
            left -= 1
            try:
                self._take(*frame)
            except StreamFault as fault:
                self._refuse(fault)
        return not self.is_closing

    def _begin_requests(self) -> None:
        if self._small.arrived:
            requests, self._small.arrived = self._small.arrived, []
            self._owner.begin(requests)

    def _take_preface(self, data: bytes) -> bytes:
        count = min(len(data), len(self._preface_left))
        if data[:count] != self._preface_left[:count]:
            raise protocol_error("this is not HTTP/2")
        self._preface_left = self._preface_left[count:]
        return data[count:]

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and kind != frames.CONTINUATION:
            raise protocol_error("a header block is interrupted")
        if not self.has_settings:
            if kind != frames.SETTINGS or flags & ACK:
                raise protocol_error("the first frame is not SETTINGS")
            self.has_settings = True
        step = self._HANDLERS.get(kind)
        if step is None:
            self._idle_frames.spend(self._loop.time())
        else:
            step(self, flags, number, payload)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        self._window.take(len(payload))
        ends = flags & END_STREAM
        if not payload and not ends:
            self._idle_frames.spend(self._loop.time())
        stream = self._streams.find(number, "DATA")
        if stream is None:
            if not ends and self._streams.needs_reset(number):
                # It is answered: the rest of the request is not needed (RFC 9113, 8.1).
                self._out.control(frames.rst_stream(number, ErrorCode.NO_ERROR))
            return
        if stream.remote_ended:
            raise StreamFault(number, ErrorCode.STREAM_CLOSED, "DATA after the end of a stream")
        stream.receive_window -= len(payload)
        if stream.receive_window < 0:
            raise StreamFault(number, ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the window")
        stream.has_progress = True
        content = frames.unpad(flags, payload)
        if len(content) != len(payload):
            stream.release(len(payload) - len(content))
        self._count_body(stream, len(content), ends=bool(ends))
        if stream.head is not None:
            self._begin_now(stream, stream.head)
        stream.remote_ended = bool(ends)
        assert stream.receiver is not None
        stream.receiver.data(content)
        if ends and not stream.is_closed:
            stream.receiver.end()

    def _begin_now(self, stream: Stream, head: RequestHead) -> None:
        """Begin a request whose body arrives in parts."""
        stream.head = None
        self._owner.open(stream, head)

    def _count_body(self, stream: Stream, size: int, *, ends: bool) -> None:
        if stream.body_left is None:
            return
        stream.body_left -= size
        if stream.body_left < 0 or (ends and stream.body_left):
            text = "the body is not as long as content-length says"
            raise StreamFault(stream.number, ErrorCode.PROTOCOL_ERROR, text)

    def _take_headers(self, flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise protocol_error("HEADERS on stream 0")
        fragment = frames.header_fragment(flags, payload)
        if flags & END_HEADERS:
            self._take_block(number, flags, fragment)
        else:
            self._block = (number, flags, [fragment])
            self.block_since = self._loop.time()

    def _take_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != number:
            raise protocol_error("CONTINUATION without its HEADERS")
        _, first_flags, parts = self._block
        parts.append(payload)
        size = sum(map(len, parts))
        if len(parts) > self._limits.continuations or size > self._limits.header_bytes:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too large")
        if flags & END_HEADERS:
            self._block = self.block_since = None
            self._take_block(number, first_flags, b"".join(parts))

    def _take_block(self, number: int, flags: int, block: bytes) -> None:
        ends = bool(flags & END_STREAM)
        if number <= self._streams.last:
            self._take_trailers(number, block, ends=ends)
            return
        self._streams.check_new(number)
        try:
            head = self._blocks.request(block)
        except MalformedError as error:
            raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, str(error)) from error
        if not self.accepts_streams:
            self._streams.abandon(number)
        elif len(self._streams) >= self._limits.streams:
            raise StreamFault(number, ErrorCode.REFUSED_STREAM, "too many streams")
        elif ends and head.content_length:
            raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "content-length without a body")
        else:
            self._open(number, head, ends=ends)

    def _open(self, number: int, head: RequestHead, *, ends: bool) -> None:
        stream = Stream(self._owner, number, self._out.initial_window, self._limits.stream_window)
        stream.body_left = head.content_length
        stream.remote_ended = ends
        self._streams.add(stream)
        self._owner.open(stream, head)

    def _take_trailers(self, number: int, block: bytes, *, ends: bool) -> None:
        fields = self._blocks.fields(block)
        stream = self._streams.get(number)
        if stream is None:
            try:
                self._streams.find(number, "HEADERS")
            except StreamFault as fault:
                raise ConnectionFault(fault.code, fault.text) from fault
            return
        if stream.remote_ended:
            raise StreamFault(number, ErrorCode.STREAM_CLOSED, "HEADERS after the end of a stream")
        if not ends:
            raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "trailers that do not end it")
        try:
            check_trailers(fields)
        except MalformedError as error:
            raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, str(error)) from error
        self._count_body(stream, 0, ends=True)
        if stream.head is not None:
            self._begin_now(stream, stream.head)
        stream.remote_ended = stream.has_progress = True
        assert stream.receiver is not None
        stream.receiver.end()

    def _take_rst_stream(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:  # noqa: PLR2004  an error code
            raise frame_size_error("RST_STREAM is not 4 bytes long")
        self._streams.check_used(number, "RST_STREAM")
        self._resets.spend(self._loop.time())
        stream = self._streams.get(number)
        if stream is not None:
            self._owner.was_reset(stream)

    def _take_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise protocol_error("SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise frame_size_error("an acknowledgement of SETTINGS with a payload")
            return
        self._settings.spend(self._loop.time())
        for key, value in read_settings(payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                self._resize_windows(value)
            elif key == Setting.MAX_FRAME_SIZE:
                self._out.max_frame = value
        self._out.control(frames.frame(frames.SETTINGS, ACK, 0))
        self._out.schedule()

    def _resize_windows(self, size: int) -> None:
        change = size - self._out.initial_window
        self._out.initial_window = size
        for stream in self._streams:
            stream.send_window += change
            if stream.send_window > MAX_WINDOW:
                text = "INITIAL_WINDOW_SIZE makes a window too large"
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, text)

    def _take_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise protocol_error("PING on a stream")
        if len(payload) != _PING_SIZE:
            raise frame_size_error("PING is not 8 bytes long")
        if not flags & ACK:
            self._pings.spend(self._loop.time())
            self._out.control(frames.ping(payload, ack=True))
        else:
            self._owner.ping_acknowledged(payload)

    def _take_goaway(self, _flags: int, number: int, payload: bytes) -> None:
        if number:
            raise protocol_error("GOAWAY on a stream")
        if len(payload) < 8:  # noqa: PLR2004  a stream number and an error code
            raise frame_size_error("GOAWAY is shorter than 8 bytes")

    def _take_window_update(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:  # noqa: PLR2004  an increment
            raise frame_size_error("WINDOW_UPDATE is not 4 bytes long")
        increment = int.from_bytes(payload, "big") & MAX_WINDOW
        if number == 0:
            if not increment:
                raise protocol_error("WINDOW_UPDATE of 0")
            self._out.widen(increment)
            self._count_tiny(self._out.window)
            return
        self._streams.check_used(number, "WINDOW_UPDATE")
        stream = self._streams.get(number)
        if stream is not None:
            if not increment:
                raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
            stream.send_window += increment
            if stream.send_window > MAX_WINDOW:
                raise StreamFault(number, ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
            self._count_tiny(stream.send_window)
            self._out.schedule()

    def _count_tiny(self, window: int) -> None:
        if window < _TINY_WINDOW:
            self._idle_frames.spend(self._loop.time())

    def _take_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise protocol_error("PRIORITY on stream 0")
        self._idle_frames.spend(self._loop.time())
        if len(payload) != _PRIORITY_SIZE:
            if number > self._streams.last:  # RST_STREAM is not allowed for an idle stream
                raise frame_size_error("PRIORITY is not 5 bytes long")
            raise StreamFault(number, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes long")

    def _take_push_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise protocol_error("a client pushes")

    def _refuse(self, fault: StreamFault) -> None:
        """Close a stream after an error of its client."""
        self._resets.spend(self._loop.time())
        stream = self._streams.get(fault.stream_id)
        if stream is not None:
            self._owner.drop(stream, fault.code)
            return
        self._out.control(frames.rst_stream(fault.stream_id, fault.code))
        if fault.stream_id <= self._streams.last:
            self._streams.abandon(fault.stream_id)

    _HANDLERS: Mapping[int, Callable[[Any, int, int, Any], None]] = {
        frames.DATA: _take_data,
        frames.HEADERS: _take_headers,
        frames.PRIORITY: _take_priority,
        frames.RST_STREAM: _take_rst_stream,
        frames.SETTINGS: _take_settings,
        frames.PUSH_PROMISE: _take_push_promise,
        frames.PING: _take_ping,
        frames.GOAWAY: _take_goaway,
        frames.WINDOW_UPDATE: _take_window_update,
        frames.CONTINUATION: _take_continuation,
    }
