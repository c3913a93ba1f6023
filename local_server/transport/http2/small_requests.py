"""The frames of small requests with known heads: a HEADERS and a DATA frame each, read in one loop.

Clients send the heads of several requests first, and all requests of a turn in one write. Most
servers get no other frames, so this loop calls nothing but constructors: a generator and a method
per frame took as long as the run of a small model. It stops before any frame that is not plainly
one of these, and `FrameHandler` handles that.
"""

from __future__ import annotations

from collections.abc import Mapping

from .limits import Http2Limits
from .owner import Owner
from .receive_window import ReceiveWindow
from .stream import Stream, WholeRequest
from .streams import Streams
from .wire.frames import DATA, END_HEADERS, END_STREAM, HEAD_SIZE, HEADERS, FrameCursor, unpack_head
from .wire.request_head import RequestHead
from .write_flow import WriteFlow


class SmallRequests:
    """Opens streams whose requests begin when their bodies have arrived."""

    __slots__ = (
        *("_known", "_limits", "_most_body", "_out", "_owner", "_streams", "_window", "arrived"),
    )

    def __init__(
        self,
        owner: Owner,
        out: WriteFlow,
        streams: Streams,
        known: Mapping[bytes, RequestHead],
        limits: Http2Limits,
        window: ReceiveWindow,
    ) -> None:
        """Take the known heads by their blocks, and the window of the connection."""
        self._owner = owner
        self._out = out
        self._streams = streams
        self._known = known
        self._limits = limits
        self._window = window
        self._most_body = min(limits.frame_size, limits.stream_window)
        self.arrived: list[WholeRequest] = []
        """The requests that have arrived with their bodies, and are to begin."""

    def take(self, cursor: FrameCursor, most: int) -> int:
        """Take frames from the cursor on, `most` at most; return how many.

        Raises ConnectionFault if the client exceeds the window.
        """
        data, at, streams, known = cursor.data, cursor.at, self._streams, self._known
        opened, owner, end = streams.opened, self._owner, len(data)
        windows = self._out.initial_window, self._limits.stream_window
        count = received = 0
        while count < most and end - at >= HEAD_SIZE:
            high, low, kind, flags, number = unpack_head(data, at)
            start = at + HEAD_SIZE
            size = high << 8 | low
            at = start + size
            if at > end:
                break
            if kind == DATA and flags == END_STREAM and size <= self._most_body:
                stream = opened.get(number)
                if stream is None or stream.head is None or stream.body_left not in (None, size):
                    break
                received += size
                stream.remote_ended = True
                self.arrived.append((stream, stream.head, data[start:at]))
                stream.head = None
            elif kind == HEADERS and flags == END_HEADERS and number == streams.last + 2:
                head = known.get(data[start:at])
                if head is None or not head.waits_for_body or len(opened) >= self._limits.streams:
                    break
                streams.last = number
                opened[number] = Stream(owner, number, *windows, head)
            else:
                break
            cursor.at = at
            count += 1
        if received:
            self._window.take(received)
        return count
