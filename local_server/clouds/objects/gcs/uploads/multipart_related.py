r"""The body of a GCS "multipart" upload, decoded as a stream: one JSON part, one media part.

    --B\r\nContent-Type: application/json\r\n\r\n{…}\r\n--B\r\nContent-Type: …\r\n\r\nBYTES\r\n--B--

Source: Cloud Storage documentation, "JSON API: single-request uploads"; RFC 2387, RFC 2046 5.1.1.
"""

from __future__ import annotations

from email.message import Message
from enum import Enum, auto

SECTION_LIMIT = 1 << 20
"""Limit in bytes of the JSON part, and of a part's headers."""


class RelatedError(ValueError):
    """The body is not multipart/related with a JSON and a media part."""


class _State(Enum):
    PREAMBLE = auto()
    METADATA_HEADERS = auto()
    METADATA = auto()
    MEDIA_HEADERS = auto()
    MEDIA = auto()
    DONE = auto()


class RelatedDecoder:
    """Decodes the body, however it is split; has the JSON part once the media begins.

    Lines may end in LF alone, as googleapiclient writes them: the first line decides.
    """

    def __init__(self, content_type: str) -> None:
        """Take the boundary from a Content-Type header; raises RelatedError."""
        self.metadata = b""
        self.media_type = ""
        self._dash = b"--" + _boundary(content_type)
        self._break = b"\r\n"
        self._state = _State.PREAMBLE
        self._buffer = b""
        self._skip = 0

    @property
    def _delimiter(self) -> bytes:
        return self._break + self._dash

    def feed(self, data: bytes) -> bytes:
        """Return the media in these bytes; raises RelatedError."""
        self._buffer += data
        while self._state.value < _State.MEDIA.value:
            section = self._take_section()
            if section is None:
                return b""
            self._take(section)
        return self._take_media() if self._state is _State.MEDIA else b""

    def finish(self) -> None:
        """Raise RelatedError unless the closing boundary has arrived."""
        if self._state is not _State.DONE:
            raise RelatedError("the body ends before its closing boundary")

    def _take_section(self) -> bytes | None:
        """Take what precedes the next mark off the buffer; None until the mark arrives."""
        section, mark, rest = self._buffer.partition(self._mark())
        if not mark:
            if len(self._buffer) > SECTION_LIMIT:
                raise RelatedError("the metadata is too large, or its boundary is missing")
            return None
        # A line break that ends a boundary or headers may also begin the next delimiter.
        self._buffer = rest if self._state is _State.METADATA else self._break + rest
        return section

    def _mark(self) -> bytes:
        match self._state:
            case _State.PREAMBLE:
                return b"\n"
            case _State.METADATA:
                return self._delimiter
            case _:
                return self._break * 2

    def _take(self, section: bytes) -> None:
        match self._state:
            case _State.PREAMBLE:
                self._take_first_line(section)
            case _State.METADATA:
                self.metadata = section.removeprefix(self._break)
            case _State.MEDIA_HEADERS:
                if section.startswith(b"--"):
                    raise RelatedError("there is no media part")
                self.media_type = _content_type(section)
                self._skip = len(self._break)
        self._state = _State(self._state.value + 1)

    def _take_first_line(self, line: bytes) -> None:
        if line.rstrip(b"\r") != self._dash:
            raise RelatedError("the body does not begin with its boundary")
        if not line.endswith(b"\r"):
            self._break = b"\n"
            self._buffer = self._buffer.removeprefix(b"\r")

    def _take_media(self) -> bytes:
        end = self._buffer.find(self._delimiter)
        if end >= 0:
            media = self._buffer[:end]
            self._state = _State.DONE
        else:
            keep = len(self._delimiter) - 1
            media, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
        skipped = min(self._skip, len(media))
        self._skip -= skipped
        return media[skipped:]


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise RelatedError("the Content-Type is not multipart/related with a boundary")
    # apitools, gsutil's library, writes it as Python's repr().
    is_quoted = len(boundary) > 1 and boundary[0] == boundary[-1] == "'"
    return (boundary[1:-1] if is_quoted else boundary).encode()


def _content_type(headers: bytes) -> str:
    for line in headers.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return ""
