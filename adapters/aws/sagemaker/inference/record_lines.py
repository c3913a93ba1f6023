"""JSON lines that AWS's TensorFlow container reads in requests of many.

Source: tensorflowServing.js (`json_request`, `json_lines_request`): a body is taken for lines if an
object or a list is followed by another, with only white space between them. Other lines are put
into one list as they are, which TensorFlow Serving refuses as invalid JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from cloudserve.errors import UserError

_CLOSING = (b"}", b"]")
_OPENING = (b"{", b"[")
_MOST = 1 << 20
"""Longer lines are not looked at: they are no scalars."""


def check_lines(files: Iterable[Path]) -> None:
    """Raise UserError for a file whose first two records are not objects or lists."""
    for file in files:
        records = list(islice(_records(file), 2))
        if len(records) > 1 and not _are_separable(*records):
            raise UserError(
                "SageMaker's TensorFlow container reads many lines in a request only if they are"
                " objects or lists",
                where=f"{file}: {_shown(records[0])}",
                hint="add --batch-size 1, or write each line as a list, such as [1.0]",
            )


def _records(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        while line := lines.readline(_MOST):
            if record := line.strip():
                yield record


def _are_separable(first: bytes, second: bytes) -> bool:
    is_cut = len(first) >= _MOST - 1
    return is_cut or (first.endswith(_CLOSING) and second.startswith(_OPENING))


def _shown(record: bytes) -> str:
    text = record.decode("utf-8", "replace")
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  a line of the error
