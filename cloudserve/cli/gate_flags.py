"""The options of gates: overrides, and the report of their verdicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.github import annotation, append_summary
from cloudserve.cli.render.report import GITHUB, JUNIT, print_result
from cloudserve.errors import GateRefusedError

if TYPE_CHECKING:
    from cloudserve.release.gates.report import GateReport
    from cloudserve.release.types import Outcome, Plan
    from cloudserve.release.verdict import Verdict


@dataclass(frozen=True, slots=True)
class GateFlags:
    """What the command line says of gates."""

    allow_breaking: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    """The reason for each overridden gate."""
    report: Path | None = None
    require_other: bool = False

    def carry_out(self, run: Callable[[], Outcome]) -> Outcome:
        """Run a verb, and write the report of its gates, also if one of them refuses."""
        with self.reporting():
            outcome = run()
        self.report_on(outcome)
        return outcome

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Write the report if a gate refuses in the block.

        Raises ConflictError before the block if the report would replace another file.
        """
        from cloudserve.release.gates.report import check_report

        if self.report is not None:
            check_report(self.report)
        try:
            yield
        except GateRefusedError as error:
            self.write(error.plan, error.verdicts)
            raise

    def report_on(self, outcome: Outcome) -> None:
        """Write the report of a release that was carried out."""
        self.write(outcome.plan, outcome.verdicts)

    def write(self, plan: Plan, verdicts: tuple[Verdict, ...]) -> None:
        """Write a report of verdicts on a plan, if one was asked for."""
        from cloudserve.release.gates.report import report_now
        from cloudserve.release.state.ledger import actor

        report = report_now(plan, verdicts, actor(os.environ))
        if self.report is not None:
            report.write(self.report)
        click.get_current_context().meta[_LAST] = report


NO_FLAGS = GateFlags()
_LAST = "cloudserve.gates.report"
"""The key of the last report of a command in its context: a canary writes one for each step."""


def _publish(report: GateReport | None, output: str) -> None:
    """Print the last report where the output format has a place for it."""
    if report is not None and output == JUNIT:
        print_result(report.junit())
    if report is not None and output == GITHUB:
        append_summary(report.markdown())
        for verdict in report.verdicts:
            if verdict.reason:
                text = f"{verdict.sentence}. Overridden: {verdict.reason}"
                click.echo(annotation("warning", f"gate {verdict.gate}", text), err=True)


def gate_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of gates, and pass them to the command as one `gates`."""

    @wraps(command)
    def with_gates(
        *,
        allow_breaking: bool,
        override: tuple[str, ...],
        reason: str | None,
        report: Path | None,
        require_other: bool,
        **rest: Any,
    ) -> None:
        if override and not (reason and reason.strip()):
            raise click.UsageError("--override needs --reason TEXT, which is recorded")
        if reason and not override:
            raise click.UsageError("--reason is the reason of an --override")
        overrides = dict.fromkeys(override, reason or "")
        try:
            command(gates=GateFlags(allow_breaking, overrides, report, require_other), **rest)
        finally:
            _publish(click.get_current_context().meta.get(_LAST), rest["output"])

    for option in reversed(_OPTIONS):
        with_gates = option(with_gates)
    return with_gates


_OPTIONS = (
    click.option(
        "--override",
        metavar="GATE",
        multiple=True,
        help="Release even if this gate refuses; needs --reason, can be repeated.",
    ),
    click.option("--reason", metavar="TEXT", help="The reason of an override, for the history."),
    click.option(
        "--allow-breaking",
        is_flag=True,
        help="Override the gate `contract`: release a version even if its signatures cannot answer "
        "all requests of the live one.",
    ),
    click.option(
        "--require-other",
        is_flag=True,
        help="Require an approval (`cloudserve approve`) by a person who did not deploy the "
        "version.",
    ),
    click.option(
        "--report",
        type=NamedPath(dir_okay=False),
        metavar="FILE",
        help="Write the gates' verdicts to a file: JSON if it ends in .json, JUnit if in .xml, "
        "else Markdown.",
    ),
)
