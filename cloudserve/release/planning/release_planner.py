"""The plans of one model on one target: a verb and a reading of the platform give a plan."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.release.capacity import capacity_of
from cloudserve.release.destination import Destination
from cloudserve.release.gates.gates import Gates
from cloudserve.release.planning import planner
from cloudserve.release.planning.approval import outdated
from cloudserve.release.planning.restore import choose_for_rollback, plan_rollback
from cloudserve.release.planning.undeploy import plan_undeploy, to_remove
from cloudserve.release.provider import MachineProvider, Provider
from cloudserve.release.registry_alias import RegistryAlias
from cloudserve.release.state.entries import Release
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.unfinished import target_of
from cloudserve.release.state.uploaded import number_of
from cloudserve.release.tidy.collector import Collector
from cloudserve.release.traffic import ALL
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.types import UPLOAD, Deployed, Operation, Plan, Reading, Revision


@dataclass(frozen=True, slots=True)
class ReleasePlanner:
    """Plans each verb from one reading. Reads the bucket beside it, and changes nothing."""

    provider: Provider
    layout: Layout
    local: LocalModel
    gates: Gates
    destination: Callable[[], Destination]
    alias: RegistryAlias
    as_of: datetime | None = None
    """The time of the state that is planned from; None for the present one."""

    def deploy(self, reading: Reading, revision: Revision, source: Path | None) -> Plan:
        """Plan to deploy a revision, from the directory `source` unless it is uploaded."""
        plan = planner.plan_deploy(self.provider, self.layout, reading, revision, source)
        return self.gates.add(self._addressed(reading, plan), reading)

    def promote(self, reading: Reading, version: str | None, percent: int) -> Plan:
        """Plan to give a version, by default the newest, a share of the traffic."""
        deployment = reading.deployment
        chosen = (
            planner.newest(deployment) if version is None else planner.choose(deployment, version)
        )
        return self._traffic(reading, Operation.PROMOTE, chosen, percent)

    def roll_back(
        self, reading: Reading, to: str | None, left: Release | None, *, is_gated: bool = True
    ) -> Plan:
        """Plan to give all traffic to a version: `to`, or the one before the live one.

        `left` is an unfinished promotion or rollback, which decides when `to` is not given.
        """
        deployment = reading.deployment
        if to is not None:
            name = choose_for_rollback(self.provider, self.layout, deployment, to)
        elif left is not None:
            name = target_of(left)
        else:
            with closing(Ledger(self.provider.blobs, self.layout).newest()) as newest:
                name = planner.previously_live(deployment, newest)
        return self._back_to(reading, name, is_gated=is_gated)

    def undeploy(self, reading: Reading, version: str | None, *, everything: bool) -> Plan:
        """Plan to remove a version, by default all without traffic, or the whole model."""
        blobs, deployment = self.provider.blobs, reading.deployment
        ids = to_remove(blobs, self.layout, deployment, version, everything=everything)
        if ids is None or version is not None:
            return self._removal(reading, ids)
        with closing(Ledger(blobs, self.layout).newest()) as newest:
            back = planner.rollback_name(deployment, newest)
        plan = self._removal(reading, tuple(name for name in ids if name != back))
        if back not in ids:
            return plan
        stays = f"{back} stays: a rollback goes back to it; name it with --version to remove it"
        return replace(plan, warnings=(stays,))

    def collect(self, reading: Reading, keep: int) -> Plan:
        """Plan to remove all but the newest revisions, and what releases left behind."""
        return self._addressed(reading, self._collector.plan(reading, keep))

    def again(self, reading: Reading, approved: Plan) -> Plan:
        """Plan once more what an approved plan was made for.

        Raises ConflictError if its revision is not deployed any more, or the files have changed.
        """
        revision = approved.revision
        if approved.operation is Operation.DEPLOY:
            self.local.check_is_named(revision)
            has_upload = any(action.kind == UPLOAD for action in approved.actions)
            source = self.local.source_of(revision) if has_upload else None
            return self.deploy(reading, revision, source)
        if approved.operation is Operation.UNDEPLOY:
            return self._removal(reading, None if approved.everything else approved.removes)
        if approved.operation is Operation.GC:
            plan = self._collector.plan_of(reading, approved.removes, leftovers=True)
            return self._addressed(reading, plan)
        try:
            if approved.operation is Operation.ROLLBACK:
                return self._back_to(reading, revision.id)
            chosen = planner.choose(reading.deployment, revision.id)
            return self._traffic(reading, approved.operation, chosen, approved.percent)
        except UserError as error:
            raise outdated(approved, error.message) from error

    def unfinished(self, reading: Reading, left: Release) -> Plan:
        """Plan what is left to do of an earlier release."""
        if left.operation is Operation.DEPLOY:
            return self.deploy(reading, Revision(number_of(left.revision), left.digest), None)
        if left.operation is Operation.UNDEPLOY:
            return self._removal(reading, None if left.everything else left.removes)
        if left.operation is Operation.GC:
            return self._collector.plan_of(reading, left.removes, leftovers=False)
        chosen = planner.choose(reading.deployment, left.revision)
        return self._traffic(reading, left.operation, chosen, left.percent)

    def _traffic(
        self, reading: Reading, operation: Operation, chosen: Deployed, percent: int = ALL
    ) -> Plan:
        plan = planner.plan_traffic(self.provider, self.layout, reading, operation, chosen, percent)
        return self.gates.add(self._addressed(reading, plan), reading)

    def _back_to(self, reading: Reading, name: str, *, is_gated: bool = True) -> Plan:
        plan = plan_rollback(self.provider, self.layout, reading, name)
        plan = self._addressed(reading, plan)
        return self.gates.add(plan, reading) if is_gated else plan

    @property
    def _collector(self) -> Collector:
        return Collector(self.provider, self.layout)

    def _removal(self, reading: Reading, ids: tuple[str, ...] | None) -> Plan:
        return self._addressed(reading, plan_undeploy(self.provider, self.layout, reading, ids))

    def _addressed(self, reading: Reading, plan: Plan) -> Plan:
        """Return a plan with where its calls go, and its machines if the adapter knows them."""
        capacity = None
        if plan.actions and isinstance(self.provider, MachineProvider):
            capacity = capacity_of(self.provider.machines(reading, plan.actions))
        place, as_of = self.destination(), self.as_of
        return self.alias.add(replace(plan, destination=place, capacity=capacity, as_of=as_of))
