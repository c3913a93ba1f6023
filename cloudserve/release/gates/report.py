"""The report of a release's gates, for people who approve it: Markdown, JSON or JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from cloudserve.errors import UserError
from cloudserve.files import replace_atomically
from cloudserve.hints import in_markdown
from cloudserve.outputs import REPORT, check_output
from cloudserve.release.canary.record import CANARY
from cloudserve.release.gates.junit import junit_xml
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Plan
from cloudserve.release.verdict import Verdict


@dataclass(frozen=True, slots=True)
class GateReport:
    """The verdicts on one release."""

    plan: Plan
    verdicts: tuple[Verdict, ...]
    who: str
    time: datetime

    @property
    def is_refused(self) -> bool:
        """Return whether a gate stopped the release."""
        return any(verdict.is_refused for verdict in self.verdicts)

    @property
    def _result(self) -> str:
        refused = [verdict.gate for verdict in self.verdicts if verdict.is_refused]
        if CANARY in refused:
            return "the canary was ended; its traffic goes back to the live revision"
        return "refused; no traffic was moved" if refused else "all gates let it pass"

    def markdown(self) -> str:
        """Return the report as Markdown: a table of the gates, then the figures of each."""
        plan = self.plan
        share = f" with {plan.percent} % of the traffic" if plan.percent < ALL else ""
        lines = [
            f"# {plan.operation} {plan.model} {plan.revision.id} on {plan.target}{share}",
            "",
            f"**{self._result}**",
            "",
            f"* digest: `{plan.revision.digest}`",
            f"* live before: {plan.previous or 'nothing'}",
            f"* destination: {plan.destination or 'unknown'}",
            f"* by {in_markdown(self.who)}, {self.time:%Y-%m-%d %H:%M:%S} UTC",
            "",
            "| gate | ruling | finding |",
            "|---|---|---|",
            *(f"| {v.gate} | {v.ruling} | {in_markdown(v.sentence)} |" for v in self.verdicts),
            "",
        ]
        for verdict in self.verdicts:
            lines += _section(verdict)
        return "\n".join(lines)

    def junit(self) -> bytes:
        """Return the report as JUnit XML, a test case for each gate."""
        return junit_xml(self.plan, self.verdicts, self.time)

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        plan = self.plan
        return {
            "operation": plan.operation,
            "model": plan.model,
            "target": plan.target,
            "revision": plan.revision.id,
            "digest": plan.revision.digest,
            "live": plan.previous,
            "percent": plan.percent,
            "refused": self.is_refused,
            "who": self.who,
            "time": self.time,
            "gates": self.verdicts,
        }

    def write(self, path: Path) -> None:
        """Write the report atomically, in the format of the name: `.json`, `.xml`, else Markdown.

        Raises UserError if it cannot be written, ConflictError if it would replace another file.
        """
        check_report(path)
        try:
            replace_atomically(path, self._encoded(path.suffix))
        except OSError as error:
            raise UserError(
                f"the report cannot be written: {error.strerror}",
                where=str(path),
                hint="the release itself is recorded: see `cloudserve history`",
            ) from error

    def _encoded(self, suffix: str) -> bytes:
        match suffix:
            case ".json":
                return msgspec.json.format(msgspec.json.encode(self.document()), indent=2) + b"\n"
            case ".xml":
                return self.junit()
            case _:
                return self.markdown().encode()


def check_report(path: Path) -> None:
    """Raise ConflictError if a report would replace another file, or change a model."""
    check_output(path, REPORT, "a report")


def report_now(plan: Plan, verdicts: tuple[Verdict, ...], who: str) -> GateReport:
    """Return the report of a release that was just carried out or refused."""
    return GateReport(plan, verdicts, who, datetime.now(UTC))


def _section(verdict: Verdict) -> list[str]:
    lines = [f"## {verdict.gate}: {verdict.ruling}", ""]
    if verdict.reason:
        lines += [f"Overridden: {in_markdown(verdict.reason)}", ""]
    lines += [f"* {in_markdown(finding)}" for finding in verdict.findings]
    lines += [""] if verdict.findings else []
    if verdict.figures:
        lines += ["| figure | value |", "|---|---|"]
        lines += [f"| {name} | {_figure(value)} |" for name, value in verdict.figures.items()]
        lines.append("")
    return lines


def _figure(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return in_markdown(msgspec.json.encode(value).decode())
    return in_markdown(str(value))
