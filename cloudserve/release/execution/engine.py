"""How a verb changes a target: planned twice, asked for once, carried out under the lock.

The first plan is made without the lock: if there is nothing to do, nothing is written. The second
one is made under the lock from another reading, and is carried out. A release without an end or a
lock that a killed run left is ended first.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from cloudserve.errors import CloudserveError
from cloudserve.release.arguments import Confirm
from cloudserve.release.canary.record import CanaryRecord
from cloudserve.release.execution.executor import Parts, execute
from cloudserve.release.execution.steps import Steps
from cloudserve.release.gates.gates import Gates, Judge
from cloudserve.release.provider import ProtectingProvider, Provider
from cloudserve.release.registry_alias import RegistryAlias
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.lock import Lock, lock
from cloudserve.release.state.recorder import Recorder
from cloudserve.release.state.unfinished import Unfinished
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.types import CREATE_BUCKET, Action, Outcome, Plan, Reading
from cloudserve.release.verdict import Verdict
from cloudserve.storage.events import SILENT, Reporter


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb asks for."""

    make_plan: Callable[[Reading], Plan]
    reading: Reading | None = None
    """What the first plan is made from; None: the platform is read."""
    approved: str = ""
    """The id of the plan that was approved, for the ledger."""
    is_recorded: bool = False
    """Whether a plan without actions is recorded too."""
    canary: CanaryRecord | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """Carries out changes of one model on one target."""

    provider: Provider
    layout: Layout
    local: LocalModel
    gates: Gates
    overrides: Mapping[str, str]
    """Reasons, by gate, to release although the gate refuses."""
    alias: RegistryAlias
    unfinished: Unfinished
    who: str
    reporter: Reporter
    confirm: Confirm

    def carry_out(self, change: Change) -> Outcome:
        """Plan, ask, and carry out what is still to be done under the lock."""
        reading = change.reading or self._read()
        plan = change.make_plan(reading)
        is_needed = plan.actions or change.is_recorded or self.alias.is_due(plan)
        if not (is_needed or self.unfinished.is_left(plan.operation, reading)):
            return Outcome(plan, reading.deployment)
        judge = Judge(self.gates, self.overrides, {})
        buckets = self._begin(plan, judge) if plan.actions else ()
        return self._under_lock(change, judge, buckets)

    def _begin(self, plan: Plan, judge: Judge) -> tuple[Action, ...]:
        """Warn, check and ask before the first change; return the actions that made a bucket."""
        for warning in plan.warnings:
            self.reporter.line(f"warning: {warning}")
        for difference in plan.breaking:
            self.reporter.line(f"breaking: {difference}")
        self.alias.check(plan)
        if isinstance(self.provider, ProtectingProvider):
            for warning in self.provider.check_unused(plan.actions):
                self.reporter.line(f"warning: {warning}")
        self.confirm(plan)
        for warning in judge.check_first(plan):
            if warning not in plan.warnings:
                self.reporter.line(f"warning: {warning}")
        buckets = tuple(action for action in plan.actions if action.kind == CREATE_BUCKET)
        if buckets:  # the lock is in it
            self.provider.blobs.ensure(SILENT)
        return buckets

    def _under_lock(self, change: Change, judge: Judge, buckets: tuple[Action, ...]) -> Outcome:
        run, is_done = uuid.uuid4().hex, False
        try:
            with lock(self.provider.blobs, self.layout.lock, release=run, who=self.who) as held:
                reading = self._read()
                plan = _made_with(buckets, change.make_plan(reading))
                is_done = not plan.actions
                supersedes = self.unfinished.end(run, self.who, reading)
                verdicts: tuple[Verdict, ...] = ()
                if plan.actions or change.is_recorded:
                    recorder = self._recorder(plan, run, change, supersedes)
                    verdicts = self._execute(plan, judge, recorder, held)
                is_done = True
                # Before the lock is free: what a killed run did not report is known by its lock.
                after = self._read().deployment
                return self.alias.followed(plan, after, verdicts, self.reporter)
        except (CloudserveError, KeyboardInterrupt) as error:
            if is_done:
                error.add_note("Every step is done; only what the platform has now is not known.")
            raise

    def _recorder(self, plan: Plan, run: str, change: Change, supersedes: str) -> Recorder:
        ledger = Ledger(self.provider.blobs, self.layout)
        return Recorder(ledger, plan, run, self.who, change.approved, supersedes, change.canary)

    def _execute(
        self, plan: Plan, judge: Judge, recorder: Recorder, held: Lock
    ) -> tuple[Verdict, ...]:
        steps = Steps(self.provider, self.layout, self.local)
        parts = Parts(partial(judge.verdict, plan), partial(steps.perform, plan, self.who))
        return execute(plan, parts, recorder, self.reporter, held.check)

    def _read(self) -> Reading:
        return self.provider.read(self.layout.model)


def _made_with(buckets: tuple[Action, ...], plan: Plan) -> Plan:
    """Return a plan with the steps that made its bucket, which a plan made now does not have.

    Another release may have done everything else in the meantime.
    """
    return replace(plan, actions=(*buckets, *plan.actions)) if plan.actions else plan
