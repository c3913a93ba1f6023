"""The performer of a plan's actions: buckets and uploads here, the others by the provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.project import Model
from cloudserve.release.nouns import CREATE_BUCKET, UPLOAD, Action, Plan
from cloudserve.release.provider import Provider
from cloudserve.release.state.layout import Layout
from cloudserve.release.upload import ReadTree, upload
from cloudserve.savedmodel import read_saved_model
from cloudserve.storage.contract import Notify
from cloudserve.storage.events import Observe, Reporter
from cloudserve.storage.manifest import Origin
from cloudserve.storage.provenance import git_state


@dataclass(frozen=True, slots=True)
class Performer:
    """Performs the actions of one plan in the name of `who`."""

    provider: Provider
    layout: Layout
    model: Model
    folder: Path
    """The project's, whose commit the manifest names."""
    plan: Plan
    who: str
    read_tree: ReadTree
    observe: Observe

    def perform(self, action: Action, notify: Notify) -> None:
        """Perform one action and wait for its end."""
        if action.kind == CREATE_BUCKET:
            self.provider.blobs.ensure(notify)
            return
        if action.kind != UPLOAD or self.plan.source is None:
            self.provider.perform(action, notify)
            return
        upload(
            self.provider.blobs,
            self.layout,
            self.plan.revision,
            self.plan.source,
            origin=self._origin(self.plan.source),
            reporter=Reporter(notify, self.observe),
            read=self.read_tree,
        )

    def _origin(self, source: Path) -> Origin:
        commit, dirty = git_state(self.folder)
        wrote = read_saved_model(source, self.model.tags).tensorflow_version
        return Origin(self.who, wrote, commit, dirty)
