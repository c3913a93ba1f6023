"""The ledger as a canary uses it: its record, and whether the traffic is still as it left it."""

from __future__ import annotations

import uuid
from contextlib import closing
from dataclasses import dataclass, replace

from cloudserve.errors import ConflictError
from cloudserve.release.canary.record import CanaryRecord, Decision
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.unfinished import MOVES
from cloudserve.release.types import Deployment, Operation

SHARING = 2
"""The least revisions with traffic while there is a canary."""


class TakenOverError(ConflictError):
    """Somebody has moved the traffic since the canary's last step, by a release or without."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The record of one run of a canary."""

    ledger: Ledger
    who: str
    where: str
    run: str
    """The id of this run."""
    before: str
    """The id of the newest promotion or rollback when the run began; "" if there was none."""

    def check(self, back_to: str = "") -> Release | None:
        """Return this run's newest promotion; None if it has not recorded one.

        A rollback to `back_to` after it is ignored: it has the same end as this run's own. Raises
        TakenOverError if the newest promotion or rollback is another's.
        """
        newest, before = last_moves(self.ledger)
        for move in (newest, before if _is_back(newest, back_to) else newest):
            if move is not None and move.canary is not None and move.canary.run == self.run:
                return move
            if (move.id if move else "") == self.before:
                return None
        assert newest is not None
        raise TakenOverError(
            f"{newest.who} has begun another release: {newest.operation} "
            f"{newest.revision or 'all'}; this canary ends, and leaves the traffic to it",
            where=self.where,
            hint="look at `cloudserve history` and `cloudserve status`",
        )

    def guard(self, back_to: str = "") -> None:
        """Raise TakenOverError as `check` does."""
        self.check(back_to)

    def note(self, record: CanaryRecord) -> None:
        """Record evidence with this run's newest promotion, if it has one; raises likewise."""
        promotion = self.check()
        if promotion is not None:
            self.ledger.note(promotion, self.who, record)

    def note_end(self, decision: Decision, reason: str) -> CanaryRecord | None:
        """Record the end of a canary whose present step has no new evidence; raises likewise.

        Return the record; None if this run has recorded no promotion.
        """
        promotion = self.check()
        if promotion is None or promotion.canary is None:
            return None
        known = replace(promotion.canary, decision=decision, reason=reason)
        self.ledger.note(promotion, self.who, known)
        return known


def begin(ledger: Ledger, who: str, where: str) -> Journal:
    """Begin the record of a run; nothing is written."""
    newest, _ = last_moves(ledger)
    return Journal(ledger, who, where, uuid.uuid4().hex, newest.id if newest else "")


def left_by(ledger: Ledger, revision: str, live: str) -> Release | None:
    """Return the step at which an earlier run left a canary; None if there is nothing to continue.

    That is the newest promotion if it is a step of this revision's canary beside `live`, the
    revision that has the rest of the traffic; "" if the canary has all of it. Then, and if a
    rollback after the step was cut off, the step counts only if its evidence had decided to roll
    back.
    """
    newest, before = last_moves(ledger)
    is_ending = not live
    if newest is not None and newest.operation is Operation.ROLLBACK:
        is_ending = True
        newest = before if newest.outcome is not Event.FINISHED else None
    if newest is None or newest.operation is not Operation.PROMOTE or newest.canary is None:
        return None
    canary = newest.canary
    if newest.revision != revision or canary.live != (live or canary.live):
        return None
    return None if is_ending and not canary.is_rolled_back else newest


def last_moves(ledger: Ledger) -> tuple[Release | None, Release | None]:
    """Return the last release that moved traffic and, if that is a rollback, the one before.

    A refused one moved none.
    """
    # Closed here: Python drops a Ctrl-C that arrives while it collects a generator.
    with closing(ledger.newest()) as newest:
        moves = (release for release in newest if _is_move(release))
        last = next(moves, None)
        is_back = last is not None and last.operation is Operation.ROLLBACK
        return last, next(moves, None) if is_back else None


def _is_move(release: Release) -> bool:
    is_move = release.operation in MOVES or release.everything
    return is_move and release.outcome is not Event.REFUSED


def _is_back(move: Release | None, back_to: str) -> bool:
    return move is not None and move.operation is Operation.ROLLBACK and move.revision == back_to


def open_canary(ledger: Ledger, deployment: Deployment) -> Release | None:
    """Return the step of a canary that shares the traffic, if no later release has moved it.

    The ledger is not read unless several revisions have traffic.
    """
    if sum(share > 0 for share in deployment.traffic.values()) < SHARING:
        return None
    newest, _ = last_moves(ledger)
    return newest if newest is not None and newest.canary is not None else None
