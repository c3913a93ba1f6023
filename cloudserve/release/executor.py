"""Carry out a plan, one action after the other, with a ledger entry after each.

A release that stops, by an error or Ctrl-C, leaves the exception with a note of what was done and
what was not; running the same command again plans anew from what is there and goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cloudserve.errors import CloudserveError
from cloudserve.release.ledger import Event, Recorder
from cloudserve.release.nouns import Action, Plan
from cloudserve.release.provider import Notify

log = logging.getLogger(__name__)
Perform = Callable[[Action, Notify], None]


def execute(plan: Plan, perform: Perform, recorder: Recorder, notify: Notify) -> None:
    """Perform a plan's actions in order; each is recorded when it is done."""
    recorder.record(Event.STARTED)
    done: list[Action] = []
    try:
        for action in plan.actions:
            notify(action.sentence)
            perform(action, lambda line: notify(f"  {line}"))
            done.append(action)
            recorder.record(Event.STEP, action=action.id, sentence=action.sentence)
        recorder.record(Event.FINISHED)
    except (Exception, KeyboardInterrupt) as error:
        error.add_note(_story(plan, done))
        _record_stop(recorder, plan.actions[len(done) :], error)
        raise


def _record_stop(recorder: Recorder, left: tuple[Action, ...], error: BaseException) -> None:
    # The first error is the one to tell; the ledger then shows a release without an end.
    try:
        recorder.record(
            Event.STOPPED,
            action=left[0].id if left else "",
            error=str(error) or type(error).__name__,
        )
    except CloudserveError as second:
        log.warning("the stop is not in the ledger: %s", second)


def _story(plan: Plan, done: list[Action]) -> str:
    left = plan.actions[len(done) :]
    lines = [f"done: {action.sentence}" for action in done] or ["done: nothing"]
    lines += [f"not done: {action.sentence}" for action in left]
    return "\n".join([*lines, "Run the same command again to go on from here."])
