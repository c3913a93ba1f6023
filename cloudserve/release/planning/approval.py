"""The comparison of an approved plan with one made now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudserve.errors import ConflictError
from cloudserve.release.destination import Destination
from cloudserve.release.planning.plan_file import plan_id
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.types import CREATE_BUCKET, Action, Plan

OTHER_GATES = "other gates are to be checked now, as after a change of `gates` or a golden file"
Essence = tuple[str, str, dict[str, Any]]
"""The part of an action that two plans are compared by."""


def check_approved(approved: Plan, present: Plan, newest: Iterable[Release]) -> None:
    """Raise ConflictError unless a plan made now is covered by the approved one.

    It is covered if the platform is unchanged and the same actions are needed, or if the last
    release applied this very plan and stopped, and each remaining action was approved. A plan
    without actions is always covered. `newest` are the releases, the newest first.
    """
    if present.alias not in {"", approved.alias}:
        raise outdated(approved, f"the target's `mlflow_alias` is `{present.alias}` now")
    if not present.actions or _is_same(approved, present):
        return
    last = next(iter(newest), None)
    if last is not None and last.plan == plan_id(approved):
        if last.outcome is not Event.FINISHED and _is_rest(approved, present):
            return
        raise outdated(
            approved, f"it was applied by {last.who} at {last.started:%Y-%m-%d %H:%M} UTC"
        )
    raise outdated(approved, _difference(approved, present))


def outdated(approved: Plan, why: str) -> ConflictError:
    """Return the error for a plan that is out of date."""
    return ConflictError(
        f"the plan does not fit any more: {why}",
        where=f"{approved.model} on {approved.target}",
        hint="look at `cloudserve status` and `cloudserve history`; plan again",
    )


def check_destination(approved: Plan, here: Destination) -> None:
    """Raise ConflictError when a plan was made for another account, or for the offline clouds."""
    made_for = approved.destination
    if made_for is not None and not made_for.is_same(here):
        raise ConflictError(
            f"the plan was made for {made_for}, and this is {here}",
            where=f"{approved.model} on {approved.target}",
            hint="plan again here, or apply it where it was made",
        )


def _is_same(approved: Plan, present: Plan) -> bool:
    return (
        approved.state == present.state
        and _checks(approved) == _checks(present)
        and _steps(approved) == _steps(present)
    )


def _is_rest(approved: Plan, present: Plan) -> bool:
    """Return whether each gate and action of the present plan was approved."""
    steps = [_essence(action) for action in approved.actions]
    checks = _checks(approved)
    return all(_essence(action) in steps for action in present.actions) and all(
        check in checks for check in _checks(present)
    )


def _checks(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    return [(step.gate, dict(step.args)) for step in plan.gates]


def _steps(plan: Plan) -> list[Essence]:
    # The bucket is created before the lock, which is in it: a plan made under the lock does not
    # create it.
    return [_essence(action) for action in plan.actions if action.kind != CREATE_BUCKET]


def _essence(action: Action) -> Essence:
    """Return the compared part; sentences are left out, because they may name local paths."""
    return action.id, action.kind, dict(action.args)


def _difference(approved: Plan, present: Plan) -> str:
    if approved.previous != present.previous:
        return f"{approved.previous or 'nothing'} was live, {present.previous or 'nothing'} is"
    if approved.state != present.state:
        return "what the platform has was changed since it was made"
    if _checks(approved) != _checks(present):
        return OTHER_GATES
    return "other steps are needed now, as after a change of the target's fields"
