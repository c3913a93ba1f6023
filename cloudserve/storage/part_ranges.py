"""Files cut into parts, as services number them: from 1, and 10,000 at the most."""

from __future__ import annotations

from dataclasses import dataclass

PART = 16 << 20
MAX_PARTS = 10_000
"""Of S3 and of Google Cloud Storage."""


@dataclass(frozen=True, slots=True)
class Span:
    """The place of a part in its file."""

    number: int
    offset: int
    size: int


def spans(size: int, part: int = PART) -> tuple[Span, ...]:
    """Cut a file into parts of `part` bytes, or larger ones where 10,000 are not enough."""
    part = max(part, -(-size // MAX_PARTS))
    starts = range(0, size, part)
    return tuple(Span(i, at, min(part, size - at)) for i, at in enumerate(starts, start=1))
