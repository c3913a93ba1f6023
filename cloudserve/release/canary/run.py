"""The promotion by canary: each step of the traffic is a promotion of its own.

The steps are planned, locked and recorded as other promotions. A canary that is not promoted is
rolled back, whatever ends it: its evidence, the deadline, an error or Ctrl-C. A run that was killed
is run again: it continues at the share that the canary has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloudserve.errors import CheckFailedError, CloudserveError, UserError
from cloudserve.release.canary.comparison import (
    Comparison,
    Measure,
    odds_of_chance,
    requests_needed,
)
from cloudserve.release.canary.probe import Prober
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.planning.planner import choose, newest
from cloudserve.release.service import Outcome, Releases
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Deployment
from cloudserve.storage.events import SILENT, Reporter

REPORT_SECONDS = 5.0
"""The time between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that the canary passed: its share, and what was measured."""

    percent: int
    requests: int
    """The requests to each revision."""
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class CanaryOutcome:
    """The result of a promotion by canary."""

    outcome: Outcome
    """The promotion to all traffic; without actions if the revision had it before."""
    live: str
    """The revision that was live before; "" if there was no canary."""
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class Canary:
    """One promotion by canary. Blocks while requests are sent."""

    releases: Releases
    live: str
    revision: str
    where: str
    """The model and the target, for errors."""
    prober: Prober
    rules: CanaryRules
    reporter: Reporter
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _deadline: float = field(init=False)
    _steps: list[Step] = field(init=False, default_factory=list)

    def promote(self, share: float) -> CanaryOutcome:
        """Promote the revision, which has this share of the traffic, step by step.

        Raises CheckFailedError if it is worse than the live revision, or undecided at the deadline;
        then, and after any other error, the live revision has all traffic again.
        """
        self._deadline = self.clock() + self.rules.deadline
        needed = requests_needed(self.rules)
        self.reporter.line(
            f"each step needs about {needed} requests to each revision if none fails"
        )
        try:
            for percent in self._left(share):
                self.releases.promote(self.revision, percent=percent)
                self._steps.append(self._watch(percent))
            outcome = self.releases.promote(self.revision)
        except BaseException as error:
            self._roll_back(error)
            raise
        return CanaryOutcome(outcome, self.live, tuple(self._steps))

    def _left(self, share: float) -> list[int]:
        """Return the steps that the share has not passed; the one that it is at is measured."""
        return [step for step in self.rules.steps if step >= round(share * ALL)]

    def _watch(self, percent: int) -> Step:
        comparison, begin = Comparison(self.rules), self.clock()
        reported = begin
        while True:
            comparison.add(*self.prober.probe())
            now = self.clock()
            if worse := comparison.worse:
                raise self._is_worse(worse, comparison, percent)
            if comparison.is_passed and now - begin >= self.rules.hold:
                self.reporter.line(f"{percent} %: passed after {_describe(comparison)}")
                return Step(percent, comparison.requests, comparison.measures)
            if now >= self._deadline:
                raise self._is_undecided(comparison, percent)
            if now - reported >= REPORT_SECONDS:
                reported = now
                self.reporter.line(f"{percent} %: {_describe(comparison)}")
            self.sleep(max(0.0, begin + comparison.requests / self.rules.rate - now))

    def _roll_back(self, error: BaseException) -> None:
        """Give the live revision all traffic; a note on the error tells the result."""
        try:
            outcome = self.releases.rollback(self.live)
        except BaseException as second:
            error.add_note(
                f"The rollback failed: {str(second) or 'interrupted'}\n{self.revision} may still "
                f"have traffic. Run: cloudserve rollback … --to {self.live}"
            )
            if not isinstance(second, CloudserveError | KeyboardInterrupt):
                raise
        else:
            if outcome.changed:
                error.add_note(f"Rolled back: {self.live} has all traffic.")

    def _is_worse(self, worse: Measure, comparison: Comparison, percent: int) -> CheckFailedError:
        because = f": {comparison.last_error}" if worse.name == "errors" else ""
        return CheckFailedError(
            f"{self.revision} is worse than {self.live} at {percent} % of the traffic: {worse} of "
            f"{comparison.requests} requests each; the chance of this between equal revisions is "
            f"at most {odds_of_chance(worse.worse)}{because}",
            where=self.where,
        )

    def _is_undecided(self, comparison: Comparison, percent: int) -> CheckFailedError:
        weakest = comparison.weakest
        return CheckFailedError(
            f"{self.revision} is undecided at {percent} % of the traffic after "
            f"{self.rules.deadline:.0f} s: {weakest} of {comparison.requests} requests each do not "
            f"prove a difference of less than {weakest.margin:.0%}",
            where=self.where,
            hint="set a later deadline, or a greater margin",
        )


def promote_by_canary(
    releases: Releases,
    requests: Sequence[bytes],
    version: str | None = None,
    *,
    rules: CanaryRules | None = None,
    reporter: Reporter = SILENT,
) -> CanaryOutcome:
    """Promote a deployed version, the newest by default, in steps decided by evidence.

    `requests` are bodies of prediction requests, which both revisions are sent in turns. Raises
    UserError, before any traffic moves, if there is no live revision beside it, the live one fails
    for a request, or the platform cannot split traffic or ask one revision.
    """
    rules = rules or CanaryRules()
    deployment = releases.status()
    where = f"{deployment.model} on {deployment.target}"
    chosen = choose(deployment, version) if version else newest(deployment)
    revision = chosen.revision.id
    live = _live_beside(deployment, revision, where)
    if not live:
        return CanaryOutcome(releases.promote(revision), "")

    def ask(body: bytes, revision_id: str) -> bytes:
        return releases.provider.predict(deployment.model, body, revision_id)

    prober = Prober(ask, live, revision, requests)
    releases.plan_promote(revision, percent=rules.steps[0])
    prober.check()
    canary = Canary(releases, live, revision, where, prober, rules, reporter)
    return canary.promote(deployment.traffic.get(revision, 0.0))


def _live_beside(deployment: Deployment, revision: str, where: str) -> str:
    """Return the revision that has the traffic beside a canary; "" if the canary has all of it."""
    others = [n for n, share in deployment.traffic.items() if share > 0 and n != revision]
    if len(others) > 1:
        raise UserError(
            f"{' and '.join(others)} share the traffic: a canary needs one live revision beside it",
            where=where,
            hint="promote one of them first",
        )
    return others[0] if others else ""


def _describe(comparison: Comparison) -> str:
    measures = ", ".join(str(measure) for measure in comparison.measures)
    return f"{comparison.requests} requests to each: {measures}"
