"""The promotion by canary: each step of the traffic is a promotion of its own.

The steps are planned, locked and recorded as other promotions, and the ledger has the evidence of
each. A canary that is not promoted is rolled back, whatever ends it: its evidence, the deadline, an
error or Ctrl-C. If a run was killed, the next one continues from the recorded evidence, or rolls
back if that had decided so. Whoever moves the traffic in the meantime ends the canary, by a release
or without one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from cloudserve.errors import CloudserveError, UserError
from cloudserve.plural import counted
from cloudserve.release.canary.accuracy import Labels, labelled_needed, shuffled
from cloudserve.release.canary.comparison import Comparison, Measure, announced
from cloudserve.release.canary.journal import Journal, TakenOverError, begin, left_by
from cloudserve.release.canary.metrics import Metrics, measured
from cloudserve.release.canary.notes import (
    canary_noted,
    rollback_command,
    sharing_noted,
    unread_noted,
)
from cloudserve.release.canary.probe import Prober, Probes, Probing
from cloudserve.release.canary.record import CanaryRecord, Decision
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.rules import Source as Origin
from cloudserve.release.canary.split import SplitProber
from cloudserve.release.canary.watch import CanaryEndedError, Clocks, Source, Watch
from cloudserve.release.planning.planner import choose, newest
from cloudserve.release.provider import Provider, SplitProvider
from cloudserve.release.service import Releases
from cloudserve.release.state.entries import Release
from cloudserve.release.traffic import ALL, percents
from cloudserve.release.types import Deployment, Outcome, Plan
from cloudserve.storage.events import SILENT, Reporter

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that the canary passed: its share, and what was measured."""

    percent: int
    requests: int
    """The requests to the canary, of the first source."""
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class CanaryOutcome:
    """The result of a promotion by canary."""

    outcome: Outcome
    """The promotion to all traffic; without actions if the revision had it before."""
    live: str
    """The revision that was live before; "" if there was no canary."""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """The end of a step, whichever it was."""

    plan: Plan
    """The promotion that gave the canary its share."""
    percent: int
    record: CanaryRecord


Observe = Callable[[Decided], None]


def unobserved(decided: Decided) -> None:
    """Ignore a decision: the default."""


@dataclass(slots=True)
class Canary:
    """One promotion by canary. Blocks while requests are sent."""

    releases: Releases
    deployment: Deployment
    """As it was before the canary."""
    live: str
    revision: str
    prober: Probing
    rules: CanaryRules
    reporter: Reporter
    journal: Journal
    observe: Observe = unobserved
    clocks: Clocks = field(default_factory=Clocks)
    _begun: datetime = field(init=False)
    _steps: list[Step] = field(init=False, default_factory=list)
    _plan: Plan | None = field(init=False, default=None)
    _watch: Watch | None = field(init=False, default=None)

    def promote(self, share: float, left: Release | None = None) -> CanaryOutcome:
        """Promote the revision, which has this share of the traffic, step by step.

        `left` is the step at which an earlier run was killed. Raises CheckFailedError if the
        revision is worse than the live one, or undecided at the deadline; then, and after any other
        error, the live one has all traffic again. Raises TakenOverError, and leaves the traffic as
        it is, if another release has moved it.
        """
        record = left.canary if left is not None else None
        at = left.percent if left is not None else round(share * ALL)
        self._begun = record.begun if record is not None else self.clocks.now()
        try:
            self._announce(at, record)
            is_passed = record is not None and record.decision is Decision.PASSED
            for percent in self.rules.steps:
                if percent > at or (percent == at and not is_passed):
                    self._pass(percent, record if percent == at else None)
            outcome = self._move(ALL, self._record(Decision.PASSED))
        except BaseException as error:
            self._roll_back(error)
            raise
        return CanaryOutcome(outcome, self.live, tuple(self._steps))

    def _announce(self, at: int, left: CanaryRecord | None) -> None:
        """Say what is to come; raise CheckFailedError if an earlier run decided to roll back."""
        if left is None:
            by_split = isinstance(self.prober, SplitProber)
            self.reporter.line(announced(self.rules, by_split=by_split))
            return
        begun = f"{left.begun:%Y-%m-%d %H:%M} UTC"
        if left.is_rolled_back:
            raise CanaryEndedError(
                left.decision,
                f"the canary of {begun} had ended at {at} % of the traffic, and its rollback was "
                f"cut off: {left.reason}",
                where=self.journal.where,
            )
        self.reporter.line(f"continues the canary of {begun} at {at} % with its recorded evidence")

    def _record(self, decision: Decision = Decision.WATCHING) -> CanaryRecord:
        now = self.clocks.now()
        return CanaryRecord(self.journal.run, self.live, decision, self._begun, now)

    def _move(self, percent: int, record: CanaryRecord) -> Outcome:
        self._check_kept()
        guard = self.journal.guard
        outcome = self.releases.promote(self.revision, percent=percent, canary=record, guard=guard)
        self._plan = outcome.plan
        return outcome

    def _check_kept(self) -> None:
        """Raise TakenOverError if the canary's share is not what its last step gave it.

        Somebody has moved the traffic without a release, such as in the platform's console.
        """
        if self._plan is None:
            return
        percent = percents(self.releases.status().traffic).get(self.revision, 0)
        if percent != self._plan.percent:
            back = rollback_command(self.deployment, self.live)
            raise TakenOverError(
                f"{self.revision} has {percent} % of the traffic, and this canary gave it "
                f"{self._plan.percent} %: somebody has moved it without a release; this canary "
                "ends, and leaves the traffic as it is",
                where=self.journal.where,
                hint=f"look at `cloudserve status`; `{back}` gives all traffic back",
            )

    def _pass(self, percent: int, left: CanaryRecord | None) -> None:
        """Give the canary its share and watch it until it passes; raise CheckFailedError if not."""
        record, comparison = self._record(), Comparison(self.rules)
        if left is not None:
            record = replace(left, run=record.run)
            comparison = Comparison.continued(self.rules, left)
        plan = self._move(percent, record).plan
        self._watch = Watch(
            self.revision,
            percent,
            record,
            self._sources(comparison, record),
            self.rules,
            self.journal,
            self.reporter,
            self.clocks,
        )
        evidence = self._watch.until_passed()
        requests = evidence.measures[0].canary.requests
        self._steps.append(Step(percent, requests, evidence.measures))
        self.observe(Decided(plan, percent, self._watch.known(Decision.PASSED, str(evidence))))
        self._watch = None

    def _sources(self, comparison: Comparison, record: CanaryRecord) -> tuple[Source, ...]:
        """Return the sources of evidence that the rules name."""
        rules, clocks = self.rules, self.clocks
        probes = Probes(self.prober, comparison, rules.rate, clocks.monotonic)
        if rules.source is Origin.PROBES:
            return (probes,)
        provider = measured(self.releases.provider, self.journal.where)
        metrics = Metrics(
            provider,
            self.deployment.model,
            self.live,
            self.revision,
            rules,
            record.since,
            clocks.monotonic,
            clocks.now,
            after=probes if rules.source is Origin.BOTH else None,
        )
        return (probes, metrics) if rules.source is Origin.BOTH else (metrics,)

    def _roll_back(self, error: BaseException) -> None:
        """Give the live revision all traffic; a note on the error tells the result."""
        if isinstance(error, TakenOverError):
            return
        try:
            record = self._note_end(error)
            if record is not None and self._plan is not None:
                self.observe(Decided(self._plan, self._plan.percent, record))
            outcome = self._back()
        except TakenOverError as other:
            error.add_note(f"{other.message}.")
        except BaseException as second:
            error.add_note(
                f"The rollback failed: {str(second) or 'interrupted'}\n{self.revision} may still "
                f"have traffic. Run: {rollback_command(self.deployment, self.live)}"
            )
            if not isinstance(second, CloudserveError | KeyboardInterrupt):
                raise
        else:
            if outcome.changed:
                error.add_note(f"Rolled back: {self.live} has all traffic.")

    def _back(self) -> Outcome:
        """Give the live revision all traffic; continue once after Ctrl-C."""
        guard = partial(self.journal.guard, self.live)
        back = partial(self.releases.rollback, self.live, guard=guard, is_gated=False)
        try:
            return back()
        except KeyboardInterrupt:  # a canary without a decision must not keep its traffic
            self.reporter.line(f"continues to roll back to {self.live}; Ctrl-C again stops it")
            return back()

    def _note_end(self, error: BaseException) -> CanaryRecord | None:
        """Record why the canary ends, before its traffic is taken back; return the record."""
        decision = error.decision if isinstance(error, CanaryEndedError) else Decision.STOPPED
        reason = str(error) or "interrupted"
        record = self._watch.known(decision, reason) if self._watch is not None else None
        try:
            if record is None:
                return self.journal.note_end(decision, reason)
            self.journal.note(record)
        except TakenOverError:
            raise
        except (CloudserveError, KeyboardInterrupt) as second:  # the rollback is more urgent
            logger.warning(
                "the canary's end is not in the ledger: %s", str(second) or "interrupted"
            )
        return record


def promote_by_canary(  # noqa: PLR0913 - options by name
    releases: Releases,
    requests: Sequence[bytes],
    version: str | None = None,
    *,
    rules: CanaryRules | None = None,
    reporter: Reporter = SILENT,
    observe: Observe = unobserved,
    labels: Labels | None = None,
) -> CanaryOutcome:
    """Promote a deployed version, the newest by default, in steps decided by evidence.

    `requests` are bodies of prediction requests, which both revisions are sent in turns; `observe`
    is called with the end of each step; `labels` are right answers, which `more_wrong` compares. If
    an earlier run was killed, its canary is continued from the evidence in the ledger, or rolled
    back if that had decided so. Raises UserError, before any traffic moves, if there is no live
    revision beside it, the live one fails for a request, or the platform cannot split traffic or
    ask one revision.
    """
    rules = rules or CanaryRules()
    with unread_noted(*releases.names):
        deployment = releases.status()
    where = f"{deployment.model} on {deployment.target}"
    chosen = choose(deployment, version) if version else newest(deployment)
    revision = chosen.revision.id
    live = _live_beside(deployment, revision, where)
    with sharing_noted(deployment, live):
        left = left_by(releases.ledger, revision, live)
    if left is not None and left.canary is not None:
        live = left.canary.live
    if not live:
        return CanaryOutcome(releases.promote(revision), "")

    with sharing_noted(deployment, live), canary_noted(deployment, left, revision, live):
        _check_labels(rules, labels, releases.provider, where)
        prober = _prober(releases.provider, deployment.model, live, revision, requests, labels)
        if left is None:
            releases.plan_promote(revision, percent=rules.steps[0])
            if rules.source is not Origin.METRICS:
                prober.check()
            if rules.source is not Origin.PROBES:
                measured(releases.provider, where)
        journal = begin(releases.ledger, releases.who, where)
    canary = Canary(releases, deployment, live, revision, prober, rules, reporter, journal, observe)
    return canary.promote(deployment.traffic.get(revision, 0.0), left)


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


def _check_labels(
    rules: CanaryRules, labels: Labels | None, provider: Provider, where: str
) -> None:
    """Raise UserError if the accuracy that the rules compare cannot be known."""
    if not rules.more_wrong:
        return
    if isinstance(provider, SplitProvider):
        raise UserError(
            "a canary's right answers cannot be compared: no request chooses a version here",
            where=where,
            hint="leave `max_wrong` out; the gate `golden` has `accuracy`",
        )
    needed = labelled_needed(rules.more_wrong, rules.pass_evidence)
    labelled = len(labels.right) if labels else 0
    if labelled < needed:
        raise UserError(
            f"{counted(labelled, 'request')} with labels cannot prove a margin of "
            f"{rules.more_wrong * ALL:g} %: that takes {needed} at least",
            where=where,
            hint="give more labelled requests, or a greater `max_wrong`",
        )


def _prober(
    provider: Provider,
    model: str,
    live: str,
    revision: str,
    requests: Sequence[bytes],
    labels: Labels | None,
) -> Probing:
    if isinstance(provider, SplitProvider):
        return SplitProber(partial(provider.predict_by_split, model), live, revision, requests)

    def ask(body: bytes, revision_id: str) -> bytes:
        return provider.predict(model, body, revision_id)

    in_order = shuffled(requests) if labels else requests
    return Prober(ask, live, revision, in_order, labels=labels)
