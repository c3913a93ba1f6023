"""The execution of a plan: its gates, then its actions, with a ledger entry after each.

A gate that refuses ends the release before its first action.
If an error or Ctrl-C stops a release, a note on the exception lists the actions that are done and
those that are not; running the same command again plans from the present state and continues. A
release that stops after its last action, while that is recorded, is finished and recorded again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from cloudserve.errors import CloudserveError, GateRefusedError, UnreachableError
from cloudserve.release.gates.gates import stop_if_refused
from cloudserve.release.state.entries import Event
from cloudserve.release.state.recorder import Recorder
from cloudserve.release.types import UPLOAD, Action, GateStep, Plan
from cloudserve.release.verdict import Verdict
from cloudserve.storage.events import Reporter

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What carries out the parts of one plan."""

    check: Callable[[GateStep], Verdict]
    perform: Callable[[Action, Reporter], None]
    """Performs one action and waits for its end."""


def execute(
    plan: Plan,
    parts: Parts,
    recorder: Recorder,
    reporter: Reporter,
    may_act: Callable[[], None],
) -> tuple[Verdict, ...]:
    """Check a plan's gates and perform its actions in order; each is recorded when it is done.

    `may_act` is called before each, and raises if the release must stop. Raises GateRefusedError
    before the first action.
    """
    verdicts: list[Verdict] = []
    done: list[Action] = []
    begun: Action | None = None
    try:
        recorder.record(Event.STARTED)
        for step in plan.gates:
            may_act()
            verdicts.append(parts.check(step))
            recorder.record(Event.GATE, action=step.gate, verdict=verdicts[-1])
            reporter.line(str(verdicts[-1]))
            stop_if_refused(plan, tuple(verdicts))
        for action in plan.actions:
            may_act()
            reporter.line(action.sentence)
            begun = action
            parts.perform(action, reporter.indented())
            done.append(action)
            recorder.record(Event.STEP, action=action.id, sentence=action.sentence)
        recorder.record(Event.FINISHED)
        return tuple(verdicts)
    except GateRefusedError as error:  # its verdict is the end of the release
        error.add_note("Nothing was changed: gates are checked before the first step.")
        raise
    except (Exception, KeyboardInterrupt) as error:
        error.add_note(_story(plan, done, begun if _may_go_on(error) else None))
        _record_end(recorder, plan.actions[len(done) :], error)
        raise


def _record_end(recorder: Recorder, left: tuple[Action, ...], error: BaseException) -> None:
    # The first error is reported; the ledger then shows a release without an end.
    try:
        if left:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            reason = reason or type(error).__name__
            recorder.record(Event.STOPPED, action=left[0].id, error=reason)
        else:
            recorder.record(Event.FINISHED)
    except (CloudserveError, KeyboardInterrupt) as second:
        logger.warning("the release's end is not in the ledger: %s", str(second) or "interrupted")


def _may_go_on(error: BaseException) -> bool:
    """Return whether the platform may still finish the action, and no note says so yet."""
    # An operation continues after its caller stops waiting.
    is_cut_off = isinstance(error, KeyboardInterrupt | UnreachableError)
    return is_cut_off and not getattr(error, "__notes__", ())


def _story(plan: Plan, done: list[Action], cut_off: Action | None) -> str:
    left = plan.actions[len(done) :]
    lines = [f"done: {action.sentence}" for action in done] or ["done: nothing"]
    lines += [f"not done: {action.sentence}" for action in left]
    if not left:
        return "\n".join([*lines, "Every step is done."])
    if cut_off is left[0] and cut_off.kind != UPLOAD:
        status = f"cloudserve status {plan.model} --target {plan.target}"
        lines.append(f"The platform may continue the first that is not done: see `{status}`.")
    return "\n".join([*lines, "Run the same command again to continue."])
