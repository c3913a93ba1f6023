"""The encoding of a form that uploads a file (multipart/form-data, RFC 7578).

Fields are read into memory up to the file, which is streamed. Fields behind the file are ignored,
as both clouds ignore them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?', re.IGNORECASE)
NAME = re.compile(r'(?:^|[;\s])name="([^"]*)"', re.IGNORECASE)
FILENAME = re.compile(r'filename="([^"]*)"', re.IGNORECASE)
DISPOSITION, CONTENT_TYPE = "content-disposition", "content-type"
MAX_FIELDS = 64 << 10
"""The largest fields before the file; S3 allows 20 KB."""


class FormError(ValueError):
    """The body is not a well-formed form with a file."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form by lower-case name, and the file behind them."""

    fields: dict[str, str]
    filename: str
    content_type: str
    file: AsyncIterator[bytes]


async def read_form(pieces: AsyncIterator[bytes], content_type: str) -> Form:
    """Read the fields of a form; raises FormError, also while its file is read."""
    match = BOUNDARY.search(content_type)
    if not match:
        raise FormError("the Content-Type has no boundary")
    delimiter = f"\r\n--{match[1]}".encode()
    reader = _Reader(pieces, b"\r\n")
    await reader.until(delimiter)
    fields: dict[str, str] = {}
    while True:
        end = await reader.until(b"\r\n")
        if end.startswith(b"--"):
            raise FormError("there is no file")
        headers = _headers(await reader.until(b"\r\n\r\n"))
        name, filename = _names(headers.get(DISPOSITION, ""))
        if name == "file":
            file = reader.stream(delimiter)
            return Form(fields, filename, headers.get(CONTENT_TYPE, ""), file)
        fields[name.lower()] = _text(await reader.until(delimiter))


def _headers(block: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in _text(block).split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _names(disposition: str) -> tuple[str, str]:
    name, filename = NAME.search(disposition), FILENAME.search(disposition)
    if not name:
        raise FormError("a part has no name")
    return name[1], filename[1] if filename else ""


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FormError("a field is not UTF-8") from error


class _Reader:
    """Bytes that arrive in pieces, read up to markers."""

    def __init__(self, pieces: AsyncIterator[bytes], start: bytes) -> None:
        self._pieces = pieces
        self._buffer = bytearray(start)
        self._read = 0

    async def _more(self) -> None:
        async for piece in self._pieces:
            self._buffer += piece
            return
        raise FormError("it ends early")

    async def until(self, marker: bytes) -> bytes:
        """Return the bytes before a marker, and drop the marker; raises FormError."""
        while (end := self._buffer.find(marker)) < 0:
            if len(self._buffer) + self._read > MAX_FIELDS:
                raise FormError("its fields are too large")
            await self._more()
        content = bytes(self._buffer[:end])
        self._read += end
        del self._buffer[: end + len(marker)]
        return content

    async def stream(self, marker: bytes) -> AsyncIterator[bytes]:
        """Yield the bytes before a marker, and read the rest of the body; raises FormError."""
        while (end := self._buffer.find(marker)) < 0:
            ready = len(self._buffer) - len(marker)
            if ready > 0:
                yield bytes(self._buffer[:ready])
                del self._buffer[:ready]
            await self._more()
        yield bytes(self._buffer[:end])
        self._buffer.clear()
        async for _ in self._pieces:
            pass
