"""The last recorded requests, for the console: as written, without what is redacted."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

from cloudserve.golden.file import Example

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


class RecentRequests:
    """Keeps the last recorded requests. `add` is called by one thread, `listed` by any."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._kept: deque[RecentRequest] = deque(maxlen=MOST)

    def add(self, model: str, example: Example, batch_rows: int = 0) -> None:
        """Keep a request that was written to a golden file."""
        self._kept.append(
            RecentRequest(
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
        )

    def listed(self) -> tuple[RecentRequest, ...]:
        """Return the kept requests, the newest first."""
        return tuple(reversed(tuple(self._kept)))


def _text(body: dict[str, Any] | None) -> str:
    text = "" if body is None else json.dumps(body, ensure_ascii=False)
    return text if len(text) <= LONGEST else ""
