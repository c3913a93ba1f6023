"""Copies of requests to a second client, and a report of the differences of the answers."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cloudserve.client.answer import Answer
from cloudserve.client.differences import Tolerance, compare
from cloudserve.errors import CloudserveError, UserError

_WAITING = 100
_KEPT = 20


class Predicts(Protocol):
    """What gets the copies: a Client."""

    def predict(self, inputs: Any, *, signature: str | None = None) -> Answer:
        """Return the outputs for a batch."""
        ...


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """The outcome of the copies."""

    compared: int = 0
    """Copies that were answered."""
    differing: int = 0
    """Copies with another answer, beyond the tolerance."""
    failed: int = 0
    """Copies for which the second client got no answer."""
    dropped: int = 0
    """Copies that were not sent, as too many were waiting."""
    largest: Mapping[str, float] = field(default_factory=dict)
    """The largest absolute difference of each output's numbers."""
    findings: tuple[str, ...] = ()
    """The first differences and failures, a sentence each."""


class Mirror:
    """Sends copies of a client's requests to a second client, in a thread of its own.

    The first client's answers do not wait for the copies and never fail because of them. A copy is
    dropped when 100 are waiting. `share` is the part of the requests that is copied, `tolerance` is
    how far a number may be from the first client's.
    """

    def __init__(
        self,
        second: Predicts,
        *,
        share: float = 1.0,
        tolerance: Tolerance | None = None,
    ) -> None:
        """Raises UserError for a share that is not from 0 to 1."""
        if not 0 <= share <= 1:
            raise UserError(
                f"a share of {share:g} is not from 0 to 1", hint="1 copies all requests"
            )
        self._second = second
        self._share = share
        self._tolerance = tolerance or Tolerance()
        self._waiting: queue.Queue[tuple[Any, str | None, Answer] | None] = queue.Queue(_WAITING)
        self._report = MirrorReport()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def copy(self, inputs: Any, signature: str | None, answer: Answer) -> None:
        """Have a request repeated and compared, or drop it after `close`; returns immediately."""
        if random.random() >= self._share:  # noqa: S311 - a share of the requests
            return
        if not self._put((_kept(inputs), signature, answer)):
            self._add(dropped=1)

    def _put(self, item: tuple[Any, str | None, Answer]) -> bool:
        # Under the lock: no thread would take an item that is queued after `close`.
        with self._lock:
            if self._is_closed:
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
                self._thread.start()
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                return False
            return True

    def report(self) -> MirrorReport:
        """Return the report of the copies up to now."""
        with self._lock:
            return self._report

    def close(self) -> MirrorReport:
        """Wait for the waiting copies, and return the report. The second client stays open."""
        with self._lock:
            thread, self._thread, self._is_closed = self._thread, None, True
        if thread is not None:
            self._waiting.put(None)
            thread.join()
        return self.report()

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            inputs, signature, first = item
            try:
                self._compare(first, self._second.predict(inputs, signature=signature))
            except CloudserveError as error:
                self._add(failed=1, finding=f"the copy failed: {error.message}")
            except Exception as error:  # noqa: BLE001 - `close` waits for this thread
                kind = type(error).__name__
                self._add(failed=1, finding=f"the copy failed: {kind}: {error}")

    def _compare(self, first: Answer, second: Answer) -> None:
        difference = compare(first.outputs, second.outputs, self._tolerance)
        finding = "; ".join(difference.findings)
        self._add(
            compared=1, differing=int(bool(finding)), finding=finding, largest=difference.largest
        )

    def _add(
        self,
        *,
        compared: int = 0,
        differing: int = 0,
        failed: int = 0,
        dropped: int = 0,
        finding: str = "",
        largest: Mapping[str, float] | None = None,
    ) -> None:
        with self._lock:
            now = self._report
            items = (largest or {}).items()
            sizes = {name: max(size, now.largest.get(name, 0.0)) for name, size in items}
            findings = (*now.findings, finding) if finding else now.findings
            self._report = replace(
                now,
                compared=now.compared + compared,
                differing=now.differing + differing,
                failed=now.failed + failed,
                dropped=now.dropped + dropped,
                largest={**now.largest, **sizes},
                findings=findings[:_KEPT],
            )


def _kept(inputs: Any) -> Any:
    """Return inputs with copied arrays: the caller may reuse its own as buffers."""
    if isinstance(inputs, Mapping):
        return {name: _kept(value) for name, value in inputs.items()}
    return inputs.copy() if hasattr(inputs, "dtype") else inputs
