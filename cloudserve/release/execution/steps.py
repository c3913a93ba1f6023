"""The engine's own actions: bucket, upload, files, and a move of the traffic planned late."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudserve.errors import ConflictError
from cloudserve.release.provider import Provider
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.uploaded import is_uploaded
from cloudserve.release.tidy.files import Removals, check_no_removal
from cloudserve.release.tidy.inventory import target_names
from cloudserve.release.tidy.reasons import used_by
from cloudserve.release.transfer.local import LocalModel
from cloudserve.release.transfer.upload import Uploader
from cloudserve.release.types import (
    CREATE_BUCKET,
    DELETE_FILES,
    ENGINE_KINDS,
    GIVE_TRAFFIC,
    KEEP_FILES,
    UPLOAD,
    Action,
    Operation,
    Plan,
)
from cloudserve.storage.events import Reporter


@dataclass(frozen=True, slots=True)
class Steps:
    """Performs the actions of plans for one model on one target; each is idempotent."""

    provider: Provider
    layout: Layout
    local: LocalModel

    def perform(self, plan: Plan, who: str, action: Action, reporter: Reporter) -> None:
        """Perform one action of a plan and wait for its end."""
        if action.kind == CREATE_BUCKET:
            self.provider.blobs.ensure(reporter)
        elif action.kind == UPLOAD and plan.source is not None:
            self._upload(plan, who, reporter)
        elif action.kind == GIVE_TRAFFIC:
            self._give_traffic(str(action.args["revision"]), reporter)
        elif action.kind == DELETE_FILES:
            self._removals.delete(str(action.args["revision"]), self._why_used, reporter)
        elif action.kind == KEEP_FILES:
            self._removals.keep(str(action.args["revision"]))
        else:
            if _needs_files(plan, action):
                self._check_files(plan)
            self.provider.perform(action, reporter)

    def _upload(self, plan: Plan, who: str, reporter: Reporter) -> None:
        assert plan.source is not None
        check_no_removal(self.provider.blobs, self.layout, plan.revision.id)
        uploader = Uploader(self.provider.blobs, self.layout, self.local.tree)
        origin = self.local.origin(plan.source, who)
        uploader.upload(plan.revision, plan.source, origin, reporter)

    def _give_traffic(self, name: str, reporter: Reporter) -> None:
        """Plan the move of the traffic to a revision that an earlier action deployed; move it."""
        reading = self.provider.read(self.layout.model)
        for action in self.provider.plan_traffic(reading, name):
            reporter.line(action.sentence)
            self.provider.perform(action, reporter)

    def _check_files(self, plan: Plan) -> None:
        """Raise ConflictError if a collection has removed the files since the plan was made."""
        if not is_uploaded(self.provider.blobs, self.layout, plan.revision):
            raise ConflictError(
                f"the files of {plan.revision.id} were removed from the bucket concurrently",
                where=f"{self.layout.bucket}/{self.layout.root}",
                hint="run the same command again: it uploads them if they are on this machine",
            )

    def _why_used(self, name: str) -> str:
        """Return why another target uses a revision's files, or ""."""
        blobs, layout = self.provider.blobs, self.layout
        for target in target_names(blobs, layout):
            others = replace(layout, target=target)
            if target != layout.target and name in used_by(Ledger(blobs, others).releases()):
                return f"the target {target} uses them"
        return ""

    @property
    def _removals(self) -> Removals:
        return Removals(self.provider.blobs, self.layout)


def _needs_files(plan: Plan, action: Action) -> bool:
    """Return whether an action is the platform's first one of a deployment without an upload."""
    kinds = {each.kind for each in plan.actions}
    is_deployment = plan.operation is Operation.DEPLOY or GIVE_TRAFFIC in kinds
    if not is_deployment or UPLOAD in kinds:
        return False
    first = next(each for each in plan.actions if each.kind not in ENGINE_KINDS)
    return action.id == first.id
