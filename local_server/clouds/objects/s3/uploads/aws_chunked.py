r"""The `aws-chunked` framing of an S3 body, unsigned or signed, with or without trailers.

    5;chunk-signature=…\r\nhello\r\n0;chunk-signature=…\r\nx-amz-checksum-crc32:…\r\n\r\n

Source: Amazon S3 API Reference, "Signature calculations: transferring payload in multiple chunks"
and "… including trailing headers". Signatures are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

LINE_LIMIT = 16 * 1024
"""Of a chunk header or trailer; the longest real one is a trailer signature of about 100 bytes."""
MAX_HEX_DIGITS = 12


def is_framed(headers: Mapping[str, str]) -> bool:
    """Return whether a request's body is aws-chunked."""
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or (
        "aws-chunked" in headers.get("content-encoding", "")
    )


class ChunkError(ValueError):
    """The body is not framed as aws-chunked."""


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class AwsChunkedDecoder:
    """Decodes framed bytes, however they are split, and keeps the trailers."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self._state = _State.SIZE
        self._line = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payload in these bytes; raises ChunkError."""
        payload: list[bytes] = []
        position = 0
        while position < len(data):
            if self._state is _State.DATA:
                piece = data[position : position + self._left]
                payload.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _State.DATA_END
            else:
                position = self._feed_line(data, position)
        return payload

    def finish(self) -> None:
        """Raise ChunkError unless the last chunk and the trailers have arrived."""
        if self._state is not _State.DONE:
            raise ChunkError("the body ends before its last chunk")

    def _feed_line(self, data: bytes, position: int) -> int:
        if self._state is _State.DONE:
            raise ChunkError("there are bytes after the last chunk")
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._line += data[position:stop]
        if len(self._line) > LINE_LIMIT:
            raise ChunkError("a chunk's line is too long")
        if end >= 0:
            line, self._line = bytes(self._line), bytearray()
            if not line.endswith(b"\r\n"):
                raise ChunkError("a chunk's line does not end in CRLF")
            self._take(line[:-2])
        return stop

    def _take(self, line: bytes) -> None:
        match self._state:
            case _State.SIZE:
                self._left = _size(line)
                self._state = _State.DATA if self._left else _State.TRAILER
            case _State.DATA_END:
                if line:
                    raise ChunkError("a chunk is longer than its size")
                self._state = _State.SIZE
            case _:
                self._take_trailer(line)

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _State.DONE
            return
        name, colon, value = line.partition(b":")
        if not colon or not line.isascii():
            raise ChunkError("a trailer is not NAME:VALUE in ASCII")
        self.trailers[name.strip().lower().decode()] = value.strip().decode()


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not 1 <= len(digits) <= MAX_HEX_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
        raise ChunkError(f"{digits[:20]!r} is not a chunk's size")
    return int(digits, 16)
