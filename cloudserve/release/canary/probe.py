"""Requests that cloudserve sends to both revisions, one after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Protocol

from cloudserve.errors import RemoteError, UserError
from cloudserve.golden.file import encode, is_golden, read_golden
from cloudserve.release.canary.accuracy import Labels
from cloudserve.release.canary.comparison import Answer, Comparison, Measure

TRIED = 20
"""Requests that are sent to both revisions before any traffic moves."""
_HINT = 'write a JSON object on each line, such as {"instances": [1.0, 2.5]}'
Ask = Callable[[bytes, str], bytes]
"""Sends a request's body to a revision; raises RemoteError."""


@dataclass(slots=True)
class Prober:
    """Sends each request to both revisions, to each of them first in turns."""

    ask: Ask
    live: str
    canary: str
    requests: Sequence[bytes]
    clock: Callable[[], float] = time.monotonic
    labels: Labels | None = None
    """The right answers to some of the requests, if they are compared."""
    _turns: Iterator[tuple[str, str]] = field(init=False)
    _bodies: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._turns = cycle(((self.live, self.canary), (self.canary, self.live)))
        self._bodies = cycle(self.requests)

    def probe(self) -> tuple[bytes, Answer, Answer]:
        """Send the next request; return it, the live revision's answer and the canary's."""
        body = next(self._bodies)
        answers = {revision: self._answer(body, revision) for revision in next(self._turns)}
        return body, answers[self.live], answers[self.canary]

    def probe_into(self, comparison: Comparison) -> None:
        """Send the next request, and count both answers."""
        body, live, canary = self.probe()
        comparison.add(live, canary)
        if self.labels and body in self.labels.right:
            is_right = self.labels.is_right
            comparison.add_labelled(
                body, live=is_right(body, live.body), canary=is_right(body, canary.body)
            )

    def check(self) -> None:
        """Send the first requests to the live revision; raises UserError for one that fails.

        Also raises UserError if the platform gives no way to send a request to one revision.
        """
        for number, body in enumerate(self.requests[:TRIED], start=1):
            answer = self._answer(body, self.live)
            if answer.error:
                raise UserError(
                    f"the live revision {self.live} fails for request {number}: {answer.error}",
                    hint="give requests that the live revision answers",
                )
            if self.labels:
                self.labels.check(body, answer.body)
        self._answer(self.requests[0], self.canary)

    def _answer(self, body: bytes, revision: str) -> Answer:
        begin, error, answer = self.clock(), "", b""
        try:
            answer = self.ask(body, revision)
        except RemoteError as failure:
            error = failure.message
        return Answer(self.clock() - begin, error, answer)


class Probing(Protocol):
    """A way to send requests to the revisions."""

    def check(self) -> None:
        """Send requests before any traffic moves; raises UserError if they cannot be compared."""
        ...

    def probe_into(self, comparison: Comparison) -> None:
        """Send the next request, and count what was answered."""
        ...


@dataclass(slots=True)
class Probes:
    """The source of evidence that cloudserve's own requests are, at most `rate` per second."""

    prober: Probing
    comparison: Comparison
    rate: float
    clock: Callable[[], float]
    due: float = 0.0
    """The time of the next request."""
    _begin: float = field(init=False)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._begin = self.clock()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what was counted."""
        return self.comparison.measures

    @property
    def is_passed(self) -> bool:
        """Return whether they prove the canary to be within its margins."""
        return self.comparison.evidence.is_passed

    @property
    def last_error(self) -> str:
        """Return the text of the canary's last failure."""
        return self.comparison.last_error

    def look(self) -> None:
        """Send one request to each revision, or one to the endpoint."""
        self.prober.probe_into(self.comparison)
        self._sent += 1
        self.due = self._begin + self._sent / self.rate


def read_requests(path: Path) -> tuple[bytes, ...]:
    """Read a file of requests, a JSON object on each line, or those of a golden file.

    Empty lines are ignored, and golden requests that are expected to be refused. Raises UserError,
    naming the line, for another file.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(
            f"the requests cannot be read: {error.strerror}",
            where=str(path),
            hint=_HINT,
        ) from error
    if lines and is_golden(lines[0]):
        return _of_golden(path)
    requests = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _check_object(line, f"{path}:{number}")
            requests.append(line)
    if not requests:
        raise UserError("the file has no requests", where=str(path), hint=_HINT)
    return tuple(requests)


def _of_golden(path: Path) -> tuple[bytes, ...]:
    requests = tuple(map(encode, read_golden(path).requests))
    if not requests:
        raise UserError("the file has no requests to answer", where=str(path), hint=_HINT)
    return requests


def _check_object(line: bytes, where: str) -> None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the request is not JSON: {error}", where=where, hint=_HINT) from error
    if not isinstance(request, dict):
        raise UserError("the request is not a JSON object", where=where, hint=_HINT)
