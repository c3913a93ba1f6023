"""gRPC calls on one HTTP/2 connection: a client that costs a few microseconds per call.

grpcio's client takes 150 us and more per call, which is more than a fast server. The frames are
the server transport's. The dynamic header table is off (SETTINGS_HEADER_TABLE_SIZE = 0), so equal
header blocks mean equal headers and are decoded once.
Source: RFC 9113; gRPC over HTTP/2 (PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from hpack import Decoder

from ...transport.http2.wire import frames
from ...transport.http2.wire.errors import ConnectionFault, ErrorCode
from ...transport.http2.wire.header_blocks import encode
from ...transport.http2.wire.settings import Setting, read_settings, settings_frame

WINDOW: Final = 2**30
_REFILL: Final = 2**29
_MOST_KNOWN: Final = 64
_CODES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
"""Names of gRPC's status codes by number (grpc/status.h)."""

Finish = Callable[[str | None], None]
"""Receives the end of a call: None for a success, else the kind of failure."""


def call_head(path: str, authority: str, metadata: Sequence[tuple[str, str]]) -> bytes:
    """Return the header block of all calls of a method."""
    fixed = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    return encode((name.encode(), value.encode()) for name, value in [*fixed, *metadata])


class Http2Channel(asyncio.Protocol):
    """One connection; `lost` is called when it cannot be used for further calls."""

    def __init__(self, head: bytes, lost: Callable[[Http2Channel], None]) -> None:
        self._head = head
        self._lost = lost
        self._reader = frames.FrameReader()
        self._decoder = Decoder()
        self._decoder.max_allowed_table_size = 0
        self._known: dict[bytes, str | None] = {}
        self._fragments: dict[int, bytes] = {}
        self._calls: dict[int, Finish] = {}
        self._waiting: dict[int, tuple[int, memoryview]] = {}
        """By stream: its window, and the rest of a message that no window has room for."""
        self._next = 1
        self._window = self._first_window = frames.DEFAULT_WINDOW
        self._frame_size = frames.DEFAULT_FRAME_SIZE
        self._taken = 0
        self._out: list[bytes] = []
        self._is_reading = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface and the settings."""
        self._transport = cast("asyncio.Transport", transport)
        settings = {Setting.HEADER_TABLE_SIZE: 0, Setting.INITIAL_WINDOW_SIZE: WINDOW}
        self._write(frames.PREFACE + settings_frame(settings) + frames.window_update(0, WINDOW))

    def begin(self, message: bytes, finish: Finish) -> int:
        """Call the method with a prefixed message; return the number of the stream."""
        number, self._next = self._next, self._next + 2
        self._calls[number] = finish
        self._out.append(frames.frame(frames.HEADERS, frames.END_HEADERS, number, self._head))
        self._push(number, self._first_window, memoryview(message))
        self._flush()
        return number

    def cancel(self, number: int) -> None:
        """Forget a call, and tell the server."""
        if self._calls.pop(number, None):
            self._waiting.pop(number, None)
            self._write(frames.rst_stream(number, ErrorCode.CANCEL))

    def close(self) -> None:
        """Drop the connection and all calls."""
        self._calls.clear()
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Handle frames; what they cause to be sent leaves in one write."""
        self._is_reading = True
        try:
            for kind, flags, number, payload in self._reader.feed(data):
                self._handle(kind, flags, number, payload)
        except (ConnectionFault, ValueError) as error:
            self._fail_all(f"not HTTP/2: {error}")
        self._is_reading = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the calls in flight."""
        del exc  # asyncio's signature
        self._fail_all("connection closed")

    def _fail_all(self, failure: str) -> None:
        self._lost(self)
        calls, self._calls = self._calls, {}
        self.close()
        for finish in calls.values():
            finish(failure)

    def _handle(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == frames.DATA:
            self._take(len(payload))
            if flags & frames.END_STREAM:
                self._end(number, "no grpc-status")
        elif kind == frames.HEADERS:
            self._headers(flags, number, frames.header_fragment(flags, payload))
        elif kind == frames.CONTINUATION:
            begun = self._fragments.pop(number, b"")
            ends = frames.END_STREAM if begun[:1] == b"\1" else 0
            self._headers(flags & frames.END_HEADERS | ends, number, begun[1:] + payload)
        elif kind == frames.WINDOW_UPDATE:
            self._widen(number, int.from_bytes(payload))
        else:
            self._control(kind, flags, number, payload)

    def _control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == frames.SETTINGS and not flags & frames.ACK:
            self._set(payload)
        elif kind == frames.PING and not flags & frames.ACK:
            self._out.append(frames.ping(payload, ack=True))
        elif kind == frames.RST_STREAM:
            self._end(number, f"RST_STREAM {ErrorCode(int.from_bytes(payload)).name}")
        elif kind == frames.GOAWAY:
            # The server finishes the streams that it has accepted, then closes.
            self._lost(self)

    def _headers(self, flags: int, number: int, block: bytes) -> None:
        if not flags & frames.END_HEADERS:
            # The first byte remembers whether the stream ends with these headers.
            self._fragments[number] = (b"\1" if flags & frames.END_STREAM else b"\0") + block
            return
        if block not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[block] = self._failure(block)
        failure = self._known[block]
        if flags & frames.END_STREAM:
            self._end(number, failure)

    def _failure(self, block: bytes) -> str | None:
        """Return the failure that headers or trailers mean; None for a success."""
        fields = {bytes(f[0]): bytes(f[1]) for f in self._decoder.decode(block, raw=True)}
        status = fields.get(b":status", b"200")
        if status != b"200":
            return f"HTTP {status.decode()}"
        code = fields.get(b"grpc-status", b"-1")
        if code == b"0":
            return None
        is_known = code.isdigit() and int(code) < len(_CODES)
        return _CODES[int(code)] if is_known else "no grpc-status"

    def _end(self, number: int, failure: str | None) -> None:
        finish = self._calls.pop(number, None)
        if finish:
            if self._waiting.pop(number, None):
                self._out.append(frames.rst_stream(number, ErrorCode.NO_ERROR))
            finish(failure)

    def _take(self, size: int) -> None:
        """Widen the window of the connection before it is used up."""
        self._taken += size
        if self._taken > _REFILL:
            self._out.append(frames.window_update(0, self._taken))
            self._taken = 0

    def _set(self, payload: bytes) -> None:
        for key, value in read_settings(payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                change = value - self._first_window
                self._first_window = value
                for number, (window, rest) in list(self._waiting.items()):
                    self._push(number, window + change, rest)
            elif key == Setting.MAX_FRAME_SIZE:
                self._frame_size = value
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _widen(self, number: int, increment: int) -> None:
        if number == 0:
            self._window += increment
            for waiting, (window, rest) in list(self._waiting.items()):
                self._push(waiting, window, rest)
        elif number in self._waiting:
            window, rest = self._waiting[number]
            self._push(number, window + increment, rest)

    def _push(self, number: int, window: int, data: memoryview) -> None:
        """Send what the windows have room for, and keep the rest."""
        room = max(0, min(len(data), window, self._window))
        self._window -= room
        is_whole = room == len(data)
        if room or is_whole:
            self._out += self._data_frames(number, data[:room], end=is_whole)
        if is_whole:
            self._waiting.pop(number, None)
        else:
            self._waiting[number] = (window - room, data[room:])

    def _data_frames(self, number: int, data: memoryview, *, end: bool) -> Iterator[bytes]:
        """Yield DATA frames of at most the peer's size; an empty one for no data."""
        for at in range(0, max(1, len(data)), self._frame_size):
            part = data[at : at + self._frame_size]
            is_last = at + self._frame_size >= len(data)
            flags = frames.END_STREAM if end and is_last else 0
            yield frames.head(frames.DATA, flags, number, len(part))
            yield bytes(part)

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self._flush()

    def _flush(self) -> None:
        if not self._is_reading and self._out and self._transport:
            data = b"".join(self._out)
            self._out.clear()
            self._transport.write(data)
