"""The last recorded requests, for the console: as written, without what is redacted."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from cloudserve.golden.file import Example, Header, example_line, header_line

MOST = 50
LONGEST = 2**15
"""Characters of a body that is kept; of a longer one only the other fields are."""
_OK = 200


@dataclass(frozen=True, slots=True)
class RecentRequest:
    """A recorded request. Bodies are JSON, with NaN as TensorFlow Serving writes it; "" if long."""

    id: int
    time: float
    model: str
    version: str
    label: str
    method: str
    status: int
    request: str
    answer: str
    batch_rows: int = 0
    """The rows of the batch that it ran in, with those of others; 0 if it ran alone."""


@dataclass(frozen=True, slots=True)
class SavedRequest:
    """A golden file of one recorded request."""

    text: str


class RecentRequests:
    """Keeps the last recorded requests. `add` is called by one thread, the others by any."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._kept: deque[tuple[RecentRequest, Example | None]] = deque(maxlen=MOST)

    def add(self, model: str, example: Example, batch_rows: int = 0) -> None:
        """Keep a request that was written to a golden file."""
        request = RecentRequest(
            next(self._ids),
            time.time(),
            model,
            "" if example.version is None else str(example.version),
            example.label,
            example.method or "predict",
            example.error.status if example.error else _OK,
            _text(example.request),
            _text(example.answer),
            batch_rows,
        )
        is_short = request.request and (request.answer or example.answer is None)
        self._kept.append((request, example if is_short else None))

    def listed(self) -> tuple[RecentRequest, ...]:
        """Return the kept requests, the newest first."""
        return tuple(request for request, _ in reversed(tuple(self._kept)))

    def saved(self, wanted: int) -> SavedRequest | None:
        """Return the golden file of one kept request, by its id; None for another or a long one."""
        for request, example in tuple(self._kept):
            if request.id == wanted and example is not None:
                recorded = datetime.fromtimestamp(request.time, UTC)
                header = Header(model=request.model, source="a server", recorded=recorded)
                lines = (header_line(header), example_line(example), b"")
                return SavedRequest(b"\n".join(lines).decode())
        return None


def _text(body: dict[str, Any] | None) -> str:
    text = "" if body is None else json.dumps(body, ensure_ascii=False)
    return text if len(text) <= LONGEST else ""
