"""The Content-Range of a resumable upload's chunk, and how much of the chunk is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import invalid

CHUNK_UNIT = 256 << 10
CONTENT_RANGE = re.compile(
    r"bytes (?:(?P<first>\d{1,18})-(?:(?P<last>\d{1,18})|\*)|\*)/(?:(?P<total>\d{1,18})|\*)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """A parsed Content-Range; `first` is None if it only queries the session's state."""

    first: int | None
    last: int | None
    total: int | None

    @property
    def kept(self) -> int | None:
        """Return where the bytes end that are stored of a chunk; None if all are.

        Of a chunk that is not the last, those up to a multiple of 256 KiB. Raises GcsError for one
        that is too small. Sources: Cloud Storage, "Resumable uploads"; the words are
        quoted in As247/CloudStorages (`StreamWrapper`).
        """
        if self.first is None or self.last is None or self.last + 1 == self.total:
            return None
        size = self.last + 1 - self.first
        if size < CHUNK_UNIT:
            raise invalid(
                "Invalid request. The number of bytes uploaded is required to be equal or greater"
                f" than {CHUNK_UNIT}, except for the final request (it's recommended to be the"
                f" exact multiple of {CHUNK_UNIT}). The received request contained {size} bytes,"
                " which does not meet this requirement."
            )
        return (self.last + 1) // CHUNK_UNIT * CHUNK_UNIT


def parse_content_range(header: str | None) -> ContentRange:
    """Parse a chunk's Content-Range; without one the body is complete. Raises GcsError."""
    if header is None:
        return ContentRange(0, None, None)
    match = CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise invalid(f"Invalid Content-Range: {header!r}")
    first, last, total = (int(each) if each else None for each in match.groups())
    if first is not None and last is not None and not first <= last < (total or last + 1):
        raise invalid(f"Invalid Content-Range: {header!r}")
    return ContentRange(first, last, total)
