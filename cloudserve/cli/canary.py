"""The options of `promote --canary`, as one parameter of the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.options import Number
from cloudserve.errors import UserError

if TYPE_CHECKING:
    from cloudserve.release.canary.rules import CanaryRules

_DAY = 86_400
_DEFAULTS = {
    "source": "probes",
    "steps": (10, 50),
    "max_shift": 0,
    "hold": 0,
    "deadline": 1800,
    "rate": 50,
}


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """The rules of a canary, and the requests that both versions are sent."""

    rules: CanaryRules
    requests: tuple[bytes, ...]


def _steps(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise click.BadParameter(f"`{text}` is not a list of percentages", param=parameter)
    return tuple(int(word) for word in words)


_OPTIONS = (
    click.option(
        "--canary",
        "is_canary",
        is_flag=True,
        help="Raise the traffic in steps while cloudserve compares the version with the live one; "
        "roll back if it is worse.",
    ),
    click.option(
        "--requests",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="With --canary: the requests that both versions are sent, one JSON object a line.",
    ),
    click.option(
        "--source",
        type=click.Choice(["probes", "metrics", "both"]),
        default=_DEFAULTS["source"],
        help="With --canary: compare by requests that cloudserve sends, by the platform's metrics "
        "of the users' requests (SageMaker; minutes late), or by both.",
    ),
    click.option(
        "--steps",
        default="10,50",
        metavar="PERCENT,...",
        callback=_steps,
        help="With --canary: the percentages before all traffic.",
    ),
    click.option(
        "--max-shift",
        type=Number(0, 99),
        default=_DEFAULTS["max_shift"],
        metavar="PERCENT",
        help="With --canary: compare predictions too; the most points by which a class's share may "
        "differ. 0 compares none.",
    ),
    click.option(
        "--hold",
        type=Number(0, _DAY),
        default=_DEFAULTS["hold"],
        metavar="SECONDS",
        help="With --canary: the least time of a step.",
    ),
    click.option(
        "--deadline",
        type=Number(1, 7 * _DAY),
        default=_DEFAULTS["deadline"],
        metavar="SECONDS",
        help="With --canary: the most time of all steps; a version that is undecided then is "
        "rolled back.",
    ),
    click.option(
        "--rate",
        type=Number(1, 10_000),
        default=_DEFAULTS["rate"],
        metavar="NUMBER",
        help="With --canary: the most requests per second to each version.",
    ),
)


def canary_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a canary, and pass them as one `canary`, None without `--canary`.

    Raises click.UsageError for options of a canary without `--canary`, UserError for rules that do
    not fit each other and requests that cannot be read.
    """

    @wraps(command)
    def with_canary(*, is_canary: bool, requests: Path | None, **rest: Any) -> None:
        given = {name: rest.pop(name) for name in _DEFAULTS}
        canary = None
        if is_canary:
            canary = CanaryOptions(_rules(given), _read(requests, given["source"]))
        elif requests or given != _DEFAULTS:
            raise click.UsageError("there are options for `--canary`, which is not given")
        command(canary=canary, **rest)

    for option in reversed(_OPTIONS):
        with_canary = option(with_canary)
    return with_canary


def _rules(given: dict[str, Any]) -> CanaryRules:
    from cloudserve.release.canary.rules import CanaryRules, Source
    from cloudserve.release.traffic import ALL

    converted = {"source": Source(given["source"]), "max_shift": given["max_shift"] / ALL}
    return CanaryRules(**{**given, **converted})


def _read(requests: Path | None, source: str) -> tuple[bytes, ...]:
    from cloudserve.release.canary.probe import read_requests

    if source == "metrics":
        if requests is not None:
            raise UserError(
                "`--source metrics` sends no requests", hint="give --source both, or no --requests"
            )
        return ()
    if requests is None:
        raise UserError(
            "a canary needs requests to compare the versions with",
            hint='--requests FILE, a JSON object on each line, such as {"instances": [1.0]}',
        )
    return read_requests(requests)
