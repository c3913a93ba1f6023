"""Body framing (RFC 9112 6 and 7.1).

httptools can neither be paused nor report where in a segment a message ended. Both are needed to
hold a client back and to leave a pipelined request alone until its turn. httptools therefore
parses heads, and this module finds the end of bodies.
"""

from __future__ import annotations

from typing import Protocol

from .http_errors import HttpError

_LINE = 4096  # a chunk's size with its extensions, or a trailer
_TRAILERS = 16 * 1024
_SIZE_DIGITS = 15  # less than 2**60 bytes


class Framing(Protocol):
    """Cuts one body out of a connection's bytes."""

    done: bool

    @property
    def remaining(self) -> int | None:
        """Return the bytes of content still to come, or None if that is unknown."""
        ...

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split into content and what follows the body; raises HttpError 400 if malformed."""
        ...


class Counted:
    """A body whose length Content-Length states."""

    __slots__ = ("done", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining: int | None = length
        self.done = length == 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split off at most the rest of the body."""
        left = self.remaining or 0
        if len(data) < left:
            self.remaining = left - len(data)
            return data, b""
        self.remaining = 0
        self.done = True
        return (data, b"") if len(data) == left else (data[:left], data[left:])


class Chunked:
    """A body in chunks: size line, content, line end, until size 0; trailers are dropped."""

    __slots__ = ("_left", "_line", "_state", "_trailers", "done")

    remaining: int | None = None

    def __init__(self) -> None:
        self.done = False
        self._state = "size"
        self._line = b""
        self._left = 0
        self._trailers = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Decode the chunks in `data`."""
        # By index: copying the rest at every chunk would be quadratic in small chunks.
        pieces, at, end = [], 0, len(data)
        while at < end and not self.done:
            if self._state == "content":
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if not self._left:
                    self._state = "end"
            else:
                at = self._take_line(data, at)
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), data[at:]

    def _take_line(self, data: bytes, at: int) -> int:
        """Take a line or a part of one; return the index after it."""
        newline = data.find(b"\n", at, at + _LINE)
        end = newline + 1 if newline >= 0 else len(data)
        self._line += data[at : min(end, at + _LINE)]
        if len(self._line) > _LINE or (newline < 0 and end - at >= _LINE):
            raise HttpError(400, "malformed request: a line of the chunked body is too long")
        if newline >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise HttpError(400, "malformed request: a chunk's line must end in CRLF")
            self._on_line(line[:-2])
        return end

    def _on_line(self, line: bytes) -> None:
        if self._state == "size":
            self._left = _chunk_size(line)
            self._state = "content" if self._left else "trailers"
        elif self._state == "end":
            if line:
                raise HttpError(400, "malformed request: a chunk is longer than its size says")
            self._state = "size"
        elif line:
            self._trailers += len(line)
            if self._trailers > _TRAILERS:
                raise HttpError(431, "the trailers are too large")
        else:
            self.done = True


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not 0 < len(digits) <= _SIZE_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
        raise HttpError(400, "malformed request: a chunk's size is not a hexadecimal number")
    return int(digits, 16)


def body_length(headers: dict[str, str], *, allows_both: bool = False) -> int | None:
    """Return a request body's length, None for chunked (RFC 9112 6.3); raises HttpError.

    A head with a length and an encoding is refused. With `allows_both` it is read as Google's
    servers do: the encoding wins, and `identity` is none (RFC 2616 3.6). TensorFlow's client of
    Cloud Storage sends such heads (`curl_http_request.cc`).
    """
    encoding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if allows_both and encoding is not None and length is not None:
        _number(length)
        unused = "transfer-encoding" if encoding.lower() == "identity" else "content-length"
        del headers[unused]
        return body_length(headers)
    if encoding is None:
        return 0 if length is None else _number(length)
    if length is not None:
        raise HttpError(400, "malformed request: Content-Length beside Transfer-Encoding")
    if encoding.lower() != "chunked":
        raise HttpError(501, f"the transfer encoding {encoding!r} is not implemented")
    return None


def _number(text: str) -> int:
    # int() alone would accept "+1", "1_0" and digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise HttpError(400, "malformed request: Content-Length is not one number")
    return int(text)
