"""Arguments of the verbs, as callers give them."""

from __future__ import annotations

from cloudserve.errors import UserError
from cloudserve.release.traffic import ALL


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
