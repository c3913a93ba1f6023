"""The verbs: plan, deploy, promote, rollback, undeploy, apply, status, history.

Reading verbs change nothing. Changing verbs are carried out by `execution.engine`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from cloudserve import registry
from cloudserve.errors import ConflictError
from cloudserve.known.tape import LIVE, Tape
from cloudserve.project import Project
from cloudserve.release.approve import Approver
from cloudserve.release.arguments import (
    ALLOWED,
    Confirm,
    Guard,
    agree,
    check_percent,
    nothing,
    plan_of,
)
from cloudserve.release.canary.record import CanaryRecord
from cloudserve.release.destination import Destination, destination_of
from cloudserve.release.execution.engine import Change, Engine
from cloudserve.release.gates.assembly import gates_of
from cloudserve.release.gates.contract import CONTRACT
from cloudserve.release.gates.gates import check_overrides
from cloudserve.release.gates.load import check_load
from cloudserve.release.inspection.drift import DriftReport
from cloudserve.release.inspection.target import inspect_drift
from cloudserve.release.planning.approval import check_approved, check_destination
from cloudserve.release.planning.plan_file import check_present, plan_id
from cloudserve.release.planning.release_planner import ReleasePlanner
from cloudserve.release.provider import Locking, Provider
from cloudserve.release.recorded import use_tape
from cloudserve.release.registry_alias import RegistryAlias
from cloudserve.release.state.entries import Release
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger, actor
from cloudserve.release.state.unfinished import Unfinished
from cloudserve.release.state.uploaded import uploaded
from cloudserve.release.state.uploaded_models import UploadedModels
from cloudserve.release.traffic import ALL
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.transfer.pull import Pulled, pull
from cloudserve.release.types import (
    Deployment,
    Operation,
    Outcome,
    Plan,
    Reading,
)
from cloudserve.savedmodel import DigestCache
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.model_source import ModelSource


class Releases:
    """The verbs for one model on one target.

    `environ` is where credentials and endpoints are looked up (the process's own by default);
    `reporter` receives lines of progress and the events of transfers, `confirm` a plan before its
    first change. `overrides` are reasons, by gate, to release all the same if the gate refuses;
    `allow_breaking` is such an override of the gate *contract*; `require_other` demands an approval
    by a person who did not deploy the version. `tape` keeps what is read, or answers from it
    (`cloudserve.release.last_known`); `provider` is that of the same target, for its connections.
    Making one reaches no network; raises UserError, ProjectError, MissingExtraError.
    """

    def __init__(  # noqa: PLR0913 - keywords, each with its default
        self,
        project: Project,
        model: str,
        target: str,
        *,
        environ: Mapping[str, str] | None = None,
        reporter: Reporter = SILENT,
        confirm: Confirm = agree,
        allow_breaking: bool = False,
        overrides: Mapping[str, str] | None = None,
        require_other: bool = False,
        tape: Tape = LIVE,
        provider: Provider | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._reporter = reporter
        self._confirm = confirm
        self._overrides = {CONTRACT: ALLOWED} if allow_breaking else {}
        self._overrides |= overrides or {}
        check_overrides(self._overrides)
        self._model, folder = project.model(model), project.path.absolute().parent
        self.names = (model, target)
        self._local = LocalModel(
            self._model,
            DigestCache.from_environment(self._environ),
            folder,
            ModelSource(self._model, self._environ, reporter, is_offline=tape.is_offline),
        )
        self._target = project.target(target)
        if require_other:
            self._target = replace(self._target, gates=self._target.gates.with_other())
        self._provider = provider or registry.provider(self._target, self._environ)
        self._tape = use_tape(self._provider, tape, self._target)
        endpoint = self._provider.lock_name(model) if isinstance(self._provider, Locking) else ""
        self._layout = Layout(self._provider.blobs.url, model, target, project.name, endpoint)
        models = UploadedModels(self._provider.blobs, self._layout, self._model.tags)
        self._gates = gates_of(self._target, self._provider, models, self._local, folder)
        self._alias = RegistryAlias(self._target, self._provider.blobs, self._layout, self._environ)
        place, parts = lambda: self.destination, (self._layout, self._local, self._gates)
        self._planner = ReleasePlanner(self._provider, *parts, place, self._alias, tape.as_of)
        self._unfinished = Unfinished(
            self._provider.blobs, self._layout, self._planner.unfinished, reporter
        )

    @property
    def provider(self) -> Provider:
        """Return the platform's provider."""
        return self._provider

    @property
    def ledger(self) -> Ledger:
        """Return the model's ledger on the target."""
        return Ledger(self._provider.blobs, self._layout)

    @property
    def who(self) -> str:
        """Return who is acting, as the ledger records it."""
        return actor(self._environ)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(
            self._provider,
            self._layout,
            self._local,
            self._gates,
            self._overrides,
            self._alias,
            self._unfinished,
            self.who,
            self._reporter,
            self._confirm,
        )

    @cached_property
    def destination(self) -> Destination:
        """The offline clouds, or the account of a cloud, that the calls reach; read once.

        Raises ProjectError when it is an account and the target has placeholders of `init`.
        """
        place = self._tape.ask("destination", lambda: asdict(self._provider.destination()))
        return destination_of(self._target, Destination(**place))

    def status(self) -> Deployment:
        """Read the model's deployment from the platform."""
        return self._read().deployment

    def drift(self) -> DriftReport:
        """Compare the project file, the ledger and the platform; changes nothing."""
        report = inspect_drift(self._provider, self._model.name, self._target.name, self.ledger)
        return replace(report, as_of=self._tape.as_of)

    def history(self, limit: int | None = None) -> tuple[Release, ...]:
        """Read the releases, or the last of them, from the ledger; oldest first."""
        return self.ledger.releases(limit)

    def pull(self, into: Path, wanted: str | None = None) -> Pulled:
        """Make a local directory of a revision: the live one, or the newest where none is.

        `wanted` is an id, a number or a digest's beginning. Raises UserError when nothing fits.
        """
        if wanted is None:
            names = uploaded(self._provider.blobs, self._layout)
            wanted = self.status().live or (names[-1] if names else "")
        return pull(self._provider.blobs, self._layout, wanted, into, self._reporter)

    def plan(
        self,
        operation: str,
        version: str | None = None,
        percent: int = ALL,
        *,
        everything: bool = False,
    ) -> Plan:
        """Plan what the verb named `operation` would do; changes nothing.

        `version` is what the verb takes as `number`, `version` or `to`. Raises UserError for
        another verb.
        """
        return plan_of(self, operation, version, percent, everything=everything)

    def plan_deploy(self, number: int | None = None, *, loads: bool = True) -> Plan:
        """Plan what `deploy` would do; without `loads` the model's files are not all checked."""
        revision, source, artifact = self._local.read(number)
        plan = self._planner.deploy(self._read(), revision, source)
        if not loads:
            return replace(plan, warnings=(*self._provider.check(artifact), *plan.warnings))
        if not plan.actions:
            return plan
        load = check_load(self._provider, artifact)
        return replace(
            plan,
            warnings=(*load.findings, *plan.warnings),
            verdicts=(*plan.verdicts, load),
        )

    def unread_bytes(self, number: int | None = None) -> int:
        """Return the bytes of a version's files that a plan of its deployment has to hash first."""
        return self._local.unread_bytes(number)

    def plan_promote(self, version: str | None = None, *, percent: int = ALL) -> Plan:
        """Plan what `promote` would do; changes nothing."""
        check_percent(percent)
        return self._planner.promote(self._read(), version, percent)

    def plan_rollback(self, to: str | None = None) -> Plan:
        """Plan what `rollback` would do; changes nothing."""
        return self._planner.roll_back(self._read(), to, self._unfinished.move())

    def plan_undeploy(self, version: str | None = None, *, everything: bool = False) -> Plan:
        """Plan what `undeploy` would do; changes nothing."""
        return self._planner.undeploy(self._read(), version, everything=everything)

    def plan_gc(self, keep: int) -> Plan:
        """Plan what `gc` would do; `Plan.collection` says why revisions stay. Changes nothing."""
        return self._planner.collect(self._read(), keep)

    def deploy(self, number: int | None = None) -> Outcome:
        """Put a version of the model, the newest by default, beside what is live.

        The first revision of a model is live at once; later ones wait for `promote`. The model
        is read and checked before anything is sent: raises ModelError when it is broken, UserError
        when the platform would not take it, GateRefusedError when a gate refuses it. What the
        platform warns of is a line of progress.
        """
        revision, source, _ = self._local.read(number)
        return self._carry_out(
            Change(lambda reading: self._planner.deploy(reading, revision, source))
        )

    def promote(
        self,
        version: str | None = None,
        *,
        percent: int = ALL,
        canary: CanaryRecord | None = None,
        guard: Guard = nothing,
    ) -> Outcome:
        """Give a deployed version, the newest by default, all traffic or a percentage of it.

        Of what is left the others keep their shares in proportion. A step of a canary is recorded
        with `canary`, also if the version has its share already. Raises UserError for a percentage
        that is not 1 to 100, or where the platform cannot split traffic.
        """
        check_percent(percent)

        def plan(reading: Reading) -> Plan:
            guard()
            return self._planner.promote(reading, version, percent)

        return self._carry_out(Change(plan, is_recorded=canary is not None, canary=canary))

    def rollback(
        self, to: str | None = None, *, guard: Guard = nothing, is_gated: bool = True
    ) -> Outcome:
        """Give all traffic back to the revision before the live one, or to the one named.

        An interrupted rollback is continued, an interrupted promotion is taken back. A revision
        that never had all the traffic is gated as by a promotion, unless a canary ends.
        """
        first, left = self._read(), self._unfinished.move()

        def plan(reading: Reading) -> Plan:
            guard()
            if reading.deployment.live != first.deployment.live:
                raise ConflictError(
                    "another release has moved the traffic",
                    where=f"{self._model.name} on {self._target.name}",
                    hint="look at `cloudserve history` and run it again",
                )
            return self._planner.roll_back(reading, to, left, is_gated=is_gated)

        # Recorded even if no traffic had moved: the next rollback starts from here.
        is_undoing = left is not None and left.operation is Operation.PROMOTE
        return self._carry_out(Change(plan, first, is_recorded=is_undoing))

    def undeploy(self, version: str | None = None, *, everything: bool = False) -> Outcome:
        """Remove a version without traffic from the platform, or all of them, or everything.

        `everything` is the model as a whole on this target: its versions, those with traffic too,
        and its endpoint. The files, manifests and the ledger stay in the bucket. Raises
        ConflictError for a version that has traffic.
        """
        return self._carry_out(
            Change(lambda reading: self._planner.undeploy(reading, version, everything=everything))
        )

    def gc(self, keep: int) -> Outcome:
        """Remove all but the `keep` newest revisions, from the platform and from the bucket.

        What has traffic or an alias stays, as does the revision that a rollback goes back to, the
        last deployed one, one that an unfinished release names, and files that another target
        uses. Unknown objects are listed in `Plan.collection`, never deleted. Raises UserError for
        a `keep` below 1, and if the adapter cannot collect.
        """
        return self._carry_out(Change(lambda reading: self._planner.collect(reading, keep)))

    def approve(
        self, version: str | None = None, *, withdraw: bool = False, comment: str = ""
    ) -> Release:
        """Record that the caller approves a version, by default the newest that is deployed.

        What is approved is the digest of its files. `withdraw` ends all earlier approvals of the
        digest. Raises UserError for an unknown version, CheckFailedError if the target requires
        a person who did not deploy it.
        """
        self._tape.check_change()
        approver = Approver(self._provider, self._layout, self._local, self._target.gates, self.who)
        revision = approver.revision(self.status(), version)
        return approver.record(revision, self.destination, comment, withdraw=withdraw)

    def apply(self, approved: Plan) -> Outcome:
        """Carry out a plan that was made before, if it is still what has to be done.

        Raises ConflictError when the platform, the target's fields or the model's files were
        changed since, or if it was made for another account. A plan that was stopped can be applied
        again and continues.
        """
        check_present(approved)
        check_destination(approved, self.destination)

        def plan(reading: Reading) -> Plan:
            present = self._planner.again(reading, approved)
            with closing(self.ledger.newest()) as newest:
                check_approved(approved, present, newest)
            return replace(present, warnings=approved.warnings)

        return self._carry_out(Change(plan, approved=plan_id(approved)))

    def _read(self) -> Reading:
        return self._provider.read(self._model.name)

    def _carry_out(self, change: Change) -> Outcome:
        self._tape.check_change()
        return self._engine.carry_out(change)
