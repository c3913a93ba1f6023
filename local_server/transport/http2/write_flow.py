"""Writing of a connection: flow control, fair order of streams, one write per turn of the loop.

Data that the client does not read stays at its stream, so the number of streams limits it; queued
control frames have their own limit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from ..writes import write_parts
from .limits import Http2Limits
from .stream import Pending, Stream
from .wire.errors import ConnectionFault, ErrorCode
from .wire.frames import (
    DATA,
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    END_STREAM,
    HEADERS,
    MAX_WINDOW,
    head,
    header_frames,
)
from .wire.header_blocks import TABLE_SIZE_ZERO, ResponseBlocks

_WRITTEN_AS_PARTS = 32 * 1024
"""From this size on, joining frames to one write takes longer than a write of several parts."""


class WriteFlow:
    """Writes frames in their order, and responses as far as the windows allow."""

    __slots__ = (
        "_block_prefix",
        "_control",
        "_ended",
        "_is_scheduled",
        "_last_unsent",
        "_limits",
        "_loop",
        "_out",
        "_size",
        "_transport",
        "_waiting",
        "initial_window",
        "max_frame",
        "paused",
        "window",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        limits: Http2Limits,
        ended: Callable[[Sequence[Stream]], None],
    ) -> None:
        """Write to a transport; `ended` is called when the last frames of streams are written."""
        self._transport = transport
        self._loop = loop
        self._limits = limits
        self._ended = ended
        self._out: list[bytes | memoryview] = []
        self._size = 0
        self._control = 0
        self._is_scheduled = False
        self._waiting: deque[Stream] = deque()
        self._block_prefix = TABLE_SIZE_ZERO
        self._last_unsent = 0
        self.window = DEFAULT_WINDOW
        self.initial_window = DEFAULT_WINDOW
        self.max_frame = DEFAULT_FRAME_SIZE
        self.paused = False

    # Sending.

    def control(self, frame: bytes) -> None:
        """Send a frame without flow control.

        Raises ConnectionFault if too many are queued for a client that does not read.
        """
        if self.paused:
            self._control += len(frame)
            if self._control > self._limits.control_buffer:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "the client does not read")
        self._write(frame)

    def answer(self, answers: Sequence[tuple[Stream, bytes]], blocks: ResponseBlocks) -> None:
        """Send complete responses, immediately as far as the windows and the queue allow it."""
        parts: list[bytes] = []
        ended: list[Stream] = []
        window, max_frame = self.window, self.max_frame
        room = 0 if self._is_busy or self._block_prefix else self._limits.write_buffer - self._size
        for stream, body in answers:
            size = len(body)
            most = min(stream.send_window, window, max_frame)
            if size > most or room <= 0 or stream.pending:
                room = 0  # the others go behind it
                self._enqueue_response(stream, blocks, body)
                continue
            window -= size
            room -= size
            number = stream.number.to_bytes(4, "big")
            parts += (blocks.first, number, blocks.middle(size), number, body)
            parts += (blocks.last, number, blocks.trailers)
            ended.append(stream)
        if parts:
            self.window = window
            self._write(b"".join(parts))
            self._ended(ended)

    def _enqueue_response(self, stream: Stream, blocks: ResponseBlocks, body: bytes) -> None:
        self.enqueue(stream, (HEADERS, 0, blocks.head))
        self.enqueue(stream, (DATA, 0, body))
        self.enqueue(stream, (HEADERS, END_STREAM, blocks.trailers))

    def enqueue(self, stream: Stream, item: Pending) -> None:
        """Queue a frame until the stream's turn comes and the windows allow it."""
        if stream.pending is None:
            stream.pending = deque()
        stream.pending.append(item)
        if not stream.is_queued:
            stream.is_queued = True
            self._waiting.append(stream)
        self.schedule()

    def finish(self, frame: bytes) -> None:
        """Send a last frame, and discard the frames queued at the streams."""
        self._waiting.clear()
        self._write(frame)
        self.flush()

    # Windows.

    def widen(self, increment: int) -> None:
        """Widen the connection's window. Raises ConnectionFault if it becomes too large."""
        self.window += increment
        if self.window > MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window is too large")
        self.schedule()

    # The transport.

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is left to write."""
        return not (self._out or self._waiting)

    @property
    def _is_busy(self) -> bool:
        return self.paused or bool(self._waiting) or self._size >= self._limits.write_buffer

    def pause(self) -> None:
        """Stop writing: the client does not keep up."""
        self.paused = True

    def resume(self) -> None:
        """Continue writing."""
        self.paused = False
        self._control = 0
        self.schedule()

    def progressed(self) -> bool:
        """Return whether the client has read anything since the last call."""
        size, last = self._transport.get_write_buffer_size(), self._last_unsent
        self._last_unsent = size
        return size < last

    def schedule(self) -> None:
        """Write at the end of this turn of the loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write as much as the windows and the buffer allow."""
        self._is_scheduled = False
        if self._transport.is_closing():
            self._out.clear()
            self._waiting.clear()
            return
        is_cut_short = self._take_turns()
        out, self._out, size, self._size = self._out, [], self._size, 0
        if size >= _WRITTEN_AS_PARTS:
            write_parts(self._transport, out)
        elif out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if is_cut_short and not self.paused:
            self.schedule()

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self._size += len(data)
        if not self._is_scheduled:
            self.schedule()

    def _take_turns(self) -> bool:
        """Send a frame of each stream in turn; return whether only the buffer's size stopped it."""
        waiting, blocked = self._waiting, 0
        while waiting and blocked < len(waiting):
            if self.paused:
                return False
            if self._size >= self._limits.write_buffer:
                return True
            stream = waiting.popleft()
            has_sent = self._send_next(stream)
            if stream.pending and not stream.is_closed:
                waiting.append(stream)
                blocked = 0 if has_sent else blocked + 1
            else:
                stream.is_queued = False
                stream.wake()
        return False

    def _send_next(self, stream: Stream) -> bool:
        """Send the next frame of a stream; return whether the windows allowed it."""
        pending = stream.pending
        if stream.is_closed or not pending:
            return True
        kind, flags, payload = pending[0]
        if kind == HEADERS:
            pending.popleft()
            block = self._block_prefix + bytes(payload)
            self._block_prefix = b""
            end = bool(flags & END_STREAM)
            self._add(header_frames(stream.number, block, end=end, max_size=self.max_frame))
            stream.has_progress = True
            if end:
                self._ended((stream,))
            return True
        return self._send_data(stream, pending, payload)

    def _send_data(
        self, stream: Stream, pending: deque[Pending], payload: bytes | memoryview
    ) -> bool:
        size = min(len(payload), self.max_frame, stream.send_window, self.window)
        if size <= 0 and payload:
            return False
        if size == len(payload):
            pending.popleft()
        else:
            view = memoryview(payload)
            pending[0] = (DATA, 0, view[size:])
            payload = view[:size]
        stream.send_window -= size
        self.window -= size
        stream.has_progress = True
        self._add(head(DATA, 0, stream.number, size))
        self._add(payload)
        return True

    def _add(self, data: bytes | memoryview) -> None:
        """Write within `flush`, without scheduling another."""
        self._out.append(data)
        self._size += len(data)
