"""The performer of a plan's actions: buckets and uploads here, the others by the provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.project import Model
from cloudserve.release.nouns import CREATE_BUCKET, UPLOAD, Action, Plan
from cloudserve.release.provider import Provider
from cloudserve.release.state.layout import Layout
from cloudserve.release.upload import ReadTree, Uploader
from cloudserve.savedmodel import read_saved_model
from cloudserve.storage.events import Reporter
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

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Perform one action and wait for its end."""
        if action.kind == CREATE_BUCKET:
            self.provider.blobs.ensure(reporter)
            return
        if action.kind != UPLOAD or self.plan.source is None:
            self.provider.perform(action, reporter)
            return
        uploader = Uploader(self.provider.blobs, self.layout, self.read_tree)
        origin = self._origin(self.plan.source)
        uploader.upload(self.plan.revision, self.plan.source, origin, reporter)

    def _origin(self, source: Path) -> Origin:
        commit, dirty = git_state(self.folder)
        wrote = read_saved_model(source, self.model.tags).tensorflow_version
        return Origin(self.who, wrote, commit, dirty)
