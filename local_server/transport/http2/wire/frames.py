"""Frames as bytes: read incrementally, written whole. Source: RFC 9113, sections 4 and 6.

A parsed frame is a plain tuple: a named one would double the time of parsing.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, TypeAlias

from .errors import ErrorCode, frame_size_error, protocol_error

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes of a client (section 3.4)."""

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

MAX_STREAM_ID: Final = 2**31 - 1
MAX_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME_SIZE: Final = 16_384
MAX_FRAME_SIZE: Final = 2**24 - 1

Frame: TypeAlias = tuple[int, int, int, Any]
"""Type, flags, stream identifier, payload: bytes, or a memoryview of a large DATA frame's."""

_HEAD = Struct(">HBBBL")
unpack_head: Final = _HEAD.unpack_from
"""Return the two parts of a length, the type, the flags and the stream identifier."""
HEAD_SIZE: Final = 9
_PRIORITY_SIZE = 5
_RESERVED_BIT = 0x7FFFFFFF
_VIEWED_FROM = 512


class FrameReader:
    """Cuts a stream of bytes into frames, and copies no large payload."""

    __slots__ = ("_max_size", "_partial")

    def __init__(self, max_size: int = DEFAULT_FRAME_SIZE) -> None:
        """Accept payloads of at most `max_size` bytes."""
        self._max_size = max_size
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the complete frames, and keep the rest.

        Raises ConnectionFault for a frame that is too large, as soon as its length is known; the
        frames before it are yielded first.
        """
        at, end = 0, len(data)
        if self._partial:
            at = self._fill(data)
            if at < 0:
                return
            whole, self._partial = self._partial, bytearray()
            yield from FrameReader(self._max_size).feed(bytes(whole))
        view = memoryview(data)
        while end - at >= HEAD_SIZE:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, at)
            start = at + HEAD_SIZE
            stop = start + (high << 8 | low)
            if stop - start > self._max_size:
                raise frame_size_error(f"a frame of {stop - start} bytes")
            if stop > end:
                break
            is_viewed = kind == DATA and stop - start >= _VIEWED_FROM
            payload = view[start:stop] if is_viewed else data[start:stop]
            at = stop
            yield kind, flags, stream_id & _RESERVED_BIT, payload
        if at < end:
            self._partial += view[at:]

    def _fill(self, data: bytes) -> int:
        """Complete the partial frame; return the end of it in `data`, -1 if it is incomplete."""
        partial, at = self._partial, 0
        if len(partial) < HEAD_SIZE:
            at = min(HEAD_SIZE - len(partial), len(data))
            partial += data[:at]
            if len(partial) < HEAD_SIZE:
                return -1
        length = partial[0] << 16 | partial[1] << 8 | partial[2]
        if length > self._max_size:
            raise frame_size_error(f"a frame of {length} bytes")
        stop = at + HEAD_SIZE + length - len(partial)
        partial += memoryview(data)[at:stop]
        return stop if stop <= len(data) else -1


class FrameCursor(FrameReader):
    """Reads frames one by one; a caller that knows a frame by its bytes may move the cursor."""

    __slots__ = ("_after", "at", "data")

    def __init__(self, max_size: int = DEFAULT_FRAME_SIZE) -> None:
        """See FrameReader."""
        super().__init__(max_size)
        self._after = b"", 0
        self.data = b""
        """The bytes that are read."""
        self.at = 0
        """The start of the next frame in them."""

    def push(self, data: bytes) -> None:
        """Take received bytes, when `next` has returned None for those before."""
        at = 0
        if self._partial:
            at = self._fill(data)
            if at < 0:
                return
            self._after = data, at
            data, at, self._partial = bytes(self._partial), 0, bytearray()
        self.data, self.at = data, at

    def next(self) -> Frame | None:
        """Return the next frame; None if it is not complete, whose bytes are kept.

        Raises ConnectionFault for a frame that is too large, as soon as its length is known.
        """
        data, start = self.data, self.at + HEAD_SIZE
        if start <= len(data):
            high, low, kind, flags, stream_id = unpack_head(data, self.at)
            stop = start + (high << 8 | low)
            if stop - start > self._max_size:
                raise frame_size_error(f"a frame of {stop - start} bytes")
            if stop <= len(data):
                self.at = stop
                is_viewed = kind == DATA and stop - start >= _VIEWED_FROM
                payload = memoryview(data)[start:stop] if is_viewed else data[start:stop]
                return kind, flags, stream_id & _RESERVED_BIT, payload
        self._partial += data[self.at :]
        (self.data, self.at), self._after = self._after, (b"", 0)
        return self.next() if self.data else None


def unpad(flags: int, payload: bytes) -> bytes:
    """Return the content of a DATA or HEADERS payload without its padding."""
    if not flags & PADDED:
        return payload
    if not payload:
        raise frame_size_error("a padded frame without a pad length")
    padding = payload[0]
    if padding >= len(payload):
        raise protocol_error("more padding than payload")
    return payload[1 : len(payload) - padding]


def header_fragment(flags: int, payload: bytes) -> bytes:
    """Return the part of a header block in a HEADERS payload; its priority is ignored."""
    content = unpad(flags, payload)
    if not flags & HAS_PRIORITY:
        return content
    if len(content) < _PRIORITY_SIZE:
        raise frame_size_error("a HEADERS frame shorter than its priority")
    return content[_PRIORITY_SIZE:]


def head(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """Return the nine bytes before a payload."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return head(kind, flags, stream_id, len(payload)) + payload


def header_frames(stream_id: int, block: bytes, *, end: bool, max_size: int) -> bytes:
    """Return a header block as HEADERS and, if it is larger than a frame, CONTINUATION."""
    flags = END_STREAM if end else 0
    if len(block) <= max_size:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    parts = [block[at : at + max_size] for at in range(0, len(block), max_size)]
    first, *middle, last = parts
    frames = [frame(HEADERS, flags, stream_id, first)]
    frames += [frame(CONTINUATION, 0, stream_id, part) for part in middle]
    frames.append(frame(CONTINUATION, END_HEADERS, stream_id, last))
    return b"".join(frames)


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def ping(payload: bytes, *, ack: bool = False) -> bytes:
    """Return a PING frame of eight bytes."""
    return frame(PING, ACK if ack else 0, 0, payload)


def goaway(last_stream_id: int, code: ErrorCode, text: str = "") -> bytes:
    """Return a GOAWAY frame; the text is for readers of traces."""
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + text.encode()
    return frame(GOAWAY, 0, 0, payload)
