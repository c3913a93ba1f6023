"""Arguments of the verbs, as callers give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudserve.errors import UserError
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Operation, Plan

if TYPE_CHECKING:
    from cloudserve.release.service import Releases

Confirm = Callable[[Plan], None]
"""Called with a plan before its first change; raises to stop the release."""


ALLOWED = "--allow-breaking"
"""The recorded reason of an override by this flag."""


PLANNED = tuple(o for o in Operation if o not in {Operation.GC, Operation.APPROVE})
"""The verbs that `Releases.plan` takes."""


def agree(plan: Plan) -> None:
    """Accept a plan: the default for programs."""


Guard = Callable[[], None]
"""Called before each planning, also under the lock; raises to stop the release."""


def nothing() -> None:
    """Guard nothing: the default."""


def check_percent(percent: int) -> None:
    """Raise UserError for a number that is not 1 to 100."""
    if not 1 <= percent <= ALL:
        raise UserError(
            f"{percent} is not a percentage of the traffic", hint="give one from 1 to 100"
        )


def version_number(version: str) -> int:
    """Return the number in `2` or `v2`; raises UserError for anything else."""
    digits = version.removeprefix("v")
    if not digits.isdecimal():
        raise UserError(
            f"`{version}` is not a version to deploy", hint="give the number of a version directory"
        )
    return int(digits)


def plan_of(
    releases: Releases, operation: str, version: str | None, percent: int, *, everything: bool
) -> Plan:
    """Plan what the verb named `operation` would do; raises UserError for another verb."""
    if operation not in PLANNED:
        raise UserError(f"`{operation}` cannot be planned", hint=f"plan {', '.join(PLANNED)}")
    match Operation(operation):
        case Operation.DEPLOY:
            return releases.plan_deploy(None if version is None else version_number(version))
        case Operation.PROMOTE:
            return releases.plan_promote(version, percent=percent)
        case Operation.ROLLBACK:
            return releases.plan_rollback(version)
        case Operation.UNDEPLOY:
            return releases.plan_undeploy(version, everything=everything)
        case Operation.GC | Operation.APPROVE:  # not in PLANNED
            raise AssertionError(operation)
