"""Interrupted releases, and their effect on a rollback.

A rollback is planned from the history, and an interrupted release decides first: an interrupted
rollback is continued, and an interrupted promotion is rolled back, whether or not its traffic had
moved. So the end state does not depend on when the process was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass

from cloudserve.errors import CheckFailedError, ConflictError, UserError
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.lock import holder_of, is_left
from cloudserve.release.types import Operation, Plan, Reading
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.events import Reporter

MOVES = (Operation.PROMOTE, Operation.ROLLBACK)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The remains of interrupted runs for one model on one target: a release, a lock.

    `plan_of` plans from a reading what a release was for.
    """

    blobs: BlobStore
    layout: Layout
    plan_of: Callable[[Reading, Release], Plan]
    reporter: Reporter

    def move(self) -> Release | None:
        """Return the newest promotion or rollback if it is not finished."""
        holder = holder_of(self.blobs, self.layout.lock)
        runs = {holder.release, *holder.before} if holder and is_left(holder) else set()
        with closing(self._ledger().newest()) as newest:
            return unfinished_move(newest, runs)

    def is_left(self, operation: Operation, reading: Reading) -> bool:
        """Return whether a run left a lock, or a release that is done and has no end in the ledger.

        A lock of a live process does not count, except for a rollback, which must not report
        success while that process still works.
        """
        holder = holder_of(self.blobs, self.layout.lock)
        if holder is not None and is_left(holder):
            return True
        left = self._ledger().unfinished()
        if left is None or holder is not None:
            return left is not None and operation is Operation.ROLLBACK
        return self._is_done(left, reading)

    def end(self, run: str, who: str, reading: Reading) -> str:
        """Record the end of a release that is done; return the id of one that is not, or "".

        `run` holds the lock under which `reading` was made.
        """
        ledger = self._ledger()
        left = ledger.unfinished()
        if left is None:
            return ""
        if not self._is_done(left, reading):
            return "" if left.has_end else left.id
        ledger.finish(left, who, run)
        self.reporter.line(
            f"recorded as finished: the {left.operation} of {left.revision or left.model} that "
            f"{left.who} began at {left.started:%Y-%m-%d %H:%M} UTC"
        )
        return ""

    def _is_done(self, left: Release, reading: Reading) -> bool:
        try:
            return not self.plan_of(reading, left).actions
        except (UserError, ConflictError, CheckFailedError):
            return False  # such as a revision that is no longer deployed

    def _ledger(self) -> Ledger:
        return Ledger(self.blobs, self.layout)


def unfinished_move(newest: Iterable[Release], left_lock: Collection[str]) -> Release | None:
    """Return the newest promotion or rollback if it is not finished.

    `newest` are the releases, the newest first. `left_lock` are the ids of the runs named by a lock
    whose holder is dead: their callers have not learnt of their success.
    """
    moves = (r for r in newest if r.operation in MOVES or r.everything)
    # A gate's refusal ends a release before its first change, and there is nothing to take back.
    last = next((r for r in moves if r.outcome is not Event.REFUSED), None)
    if last is None or last.everything or not _is_unfinished(last, left_lock):
        return None
    return last if _target(last) else None


def target_of(left: Release) -> str:
    """Return the id of the revision that a rollback after an unfinished move gives the traffic."""
    return _target(left) or ""


def _target(left: Release) -> str | None:
    if left.operation is Operation.ROLLBACK:
        return left.revision
    return left.previous if left.previous != left.revision else None


def _is_unfinished(last: Release, left_lock: Collection[str]) -> bool:
    if last.outcome is not Event.FINISHED:
        return True
    # Its promotion is finished, and a rollback of it is what the history says it is.
    return last.operation is Operation.ROLLBACK and bool({last.id, last.run} & {*left_lock})
