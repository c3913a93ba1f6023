"""The options of `promote --canary`, as one parameter of the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.options import Number
from cloudserve.cli.paths import NamedPath
from cloudserve.errors import UserError

if TYPE_CHECKING:
    from cloudserve.project import Project, Target
    from cloudserve.release.canary.accuracy import Labels
    from cloudserve.release.canary.rules import CanaryRules

_ALL = 100
_DAY = 86_400
_NAMES = ("source", "steps", "max_shift", "max_wrong", "hold", "deadline", "rate")


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """The rules of a canary, and the requests that both versions are sent."""

    rules: CanaryRules
    requests: tuple[bytes, ...]
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class CanaryFlags:
    """What the command line says of a canary; the project file has what it does not say."""

    fields: Mapping[str, Any]
    requests: Path | None

    def rules(self, target: Target) -> CanaryRules:
        """Return the rules for a target; raises UserError if they do not fit each other."""
        from cloudserve.release.canary.rules import CanaryRules

        fields = dict(self.fields)
        # Steps of the command line have no least times of the file.
        replaced: dict[str, Any] = {"holds": {}} if "steps" in fields or "hold" in fields else {}
        return CanaryRules(**{**target.canary.rules, **replaced, **fields})

    def options(self, project: Project, target: Target, model: str) -> CanaryOptions:
        """Return the canary of a model; raises UserError also if its requests cannot be read."""
        from cloudserve.release.canary.accuracy import read_labels

        rules = self.rules(target)
        file = self.requests
        if file is None and target.canary.requests and rules.source != "metrics":
            file = project.path.parent / target.canary.requests.replace("{model}", model)
        labels = read_labels(file) if file and rules.more_wrong else None
        return CanaryOptions(rules, _read(file, rules.source), labels)


def _steps(
    _context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise click.BadParameter(f"`{text}` is not a list of percentages", param=parameter)
    steps = tuple(int(word) for word in words)
    return steps[:-1] if steps[-1] == _ALL else steps


_OPTIONS = (
    click.option(
        "--canary",
        "is_canary",
        is_flag=True,
        help="Raise the traffic in steps while cloudserve compares the version with the live one; "
        "roll back if it is worse. `canary:` of the target has other defaults of the options.",
    ),
    click.option(
        "--requests",
        type=NamedPath(exists=True, dir_okay=False),
        help="With --canary: the requests that both versions are sent, one JSON object a line.",
    ),
    click.option(
        "--source",
        type=click.Choice(["probes", "metrics", "both"]),
        show_default="probes",
        help="With --canary: compare by requests that cloudserve sends, by the platform's metrics "
        "of the users' requests (minutes late), or by both.",
    ),
    click.option(
        "--steps",
        show_default="10,50",
        metavar="PERCENT,...",
        callback=_steps,
        help="With --canary: the percentages before all traffic.",
    ),
    click.option(
        "--max-shift",
        type=Number(0, 99),
        show_default="0",
        metavar="PERCENT",
        help="With --canary: compare predictions too; the most points by which a class's share may "
        "differ. 0 compares none.",
    ),
    click.option(
        "--max-wrong",
        type=Number(0, 99),
        show_default="0",
        metavar="PERCENT",
        help="With --canary: compare answers to requests with `labels` too; a version passes if "
        "it is wrong for less than so many percent more. 0 compares none (SageMaker).",
    ),
    click.option(
        "--hold",
        type=Number(0, _DAY),
        show_default="0",
        metavar="SECONDS",
        help="With --canary: the least time of a step.",
    ),
    click.option(
        "--deadline",
        type=Number(1, 7 * _DAY),
        show_default="1800",
        metavar="SECONDS",
        help="With --canary: the most time of all steps; a version that is undecided then is "
        "rolled back.",
    ),
    click.option(
        "--rate",
        type=Number(1, 10_000),
        show_default="50",
        metavar="NUMBER",
        help="With --canary: the most requests per second to each version.",
    ),
)


def canary_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a canary, and pass them as one `canary`, None without `--canary`.

    Raises click.UsageError for options of a canary without `--canary`.
    """

    @wraps(command)
    def with_canary(*, is_canary: bool, requests: Path | None, **rest: Any) -> None:
        options = {name: rest.pop(name) for name in _NAMES}
        values = {name: value for name, value in options.items() if value is not None}
        if not is_canary and (requests or values):
            raise click.UsageError("there are options for `--canary`, which is not given")
        canary = CanaryFlags(_converted(values), requests) if is_canary else None
        command(canary=canary, **rest)

    for option in reversed(_OPTIONS):
        with_canary = option(with_canary)
    return with_canary


def _converted(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as the fields of `CanaryRules`."""
    from cloudserve.release.canary.rules import Source

    source = {"source": Source(options["source"])} if "source" in options else {}
    shift = {"max_shift": options["max_shift"] / _ALL} if "max_shift" in options else {}
    wrong = {"more_wrong": options["max_wrong"] / _ALL} if "max_wrong" in options else {}
    rest = {name: value for name, value in options.items() if name != "max_wrong"}
    return {**rest, **source, **shift, **wrong}


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
            hint="--requests FILE, or `requests` below `canary:` of the target: a JSON object on "
            'each line, such as {"instances": [1.0]}',
        )
    return read_requests(requests)
