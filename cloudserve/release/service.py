"""The verbs: deploy, promote, rollback, status, history. What the CLI does, a program can do.

Reading verbs reach the platform and change nothing. Changing verbs first plan without the lock:
when nothing is to be done they write nothing. Otherwise they take the lock, plan again and execute.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cloudserve import registry
from cloudserve.errors import CloudserveError, ConflictError, UserError
from cloudserve.project import Project
from cloudserve.release import planner
from cloudserve.release.executor import execute
from cloudserve.release.layout import Layout
from cloudserve.release.ledger import Ledger, Recorder, Release, actor
from cloudserve.release.lock import lock
from cloudserve.release.nouns import (
    UPLOAD,
    Action,
    Artifact,
    Deployed,
    Deployment,
    Operation,
    Plan,
    Revision,
)
from cloudserve.release.provider import Notify, Provider
from cloudserve.release.pull import Pulled, pull
from cloudserve.release.traffic import ALL
from cloudserve.release.upload import upload
from cloudserve.release.uploaded import uploaded
from cloudserve.savedmodel import DigestCache, Tree, read_saved_model, read_tree, resolve
from cloudserve.storage.events import Observe, Told, ignore
from cloudserve.storage.manifest import Origin
from cloudserve.storage.provenance import git_state


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a changing verb did: the plan it carried out and what the platform has now."""

    plan: Plan
    deployment: Deployment

    @property
    def changed(self) -> bool:
        """Say whether anything had to be done."""
        return bool(self.plan.actions)


def quiet(line: str) -> None:
    """Take a line of progress and drop it: the default for programs."""


class Releases:
    """The verbs for one model on one target.

    `environ` is where credentials and endpoints are looked up (the process's own by default);
    `notify` takes lines of progress for people, `observe` the events of uploads. Making one
    reaches no network; raises UserError for an unknown model or target, ProjectError for wrong
    fields, MissingExtraError.
    """

    def __init__(
        self,
        project: Project,
        model: str,
        target: str,
        *,
        environ: Mapping[str, str] | None = None,
        notify: Notify = quiet,
        observe: Observe = ignore,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._notify = notify
        self._observe = observe
        self._folder = project.path.absolute().parent
        self._digests = DigestCache.from_environment(self._environ)
        self._model = project.model(model)
        self._target = project.target(target)
        self._provider: Provider = registry.provider(self._target, self._environ)
        self._layout = Layout(self._provider.blobs.url, model, target)

    @property
    def provider(self) -> Provider:
        """Return the platform's provider."""
        return self._provider

    def status(self) -> Deployment:
        """Read what the platform has of the model."""
        return self._provider.describe(self._model.name)

    def history(self, limit: int | None = None) -> tuple[Release, ...]:
        """Read the releases, or the last of them, from the ledger; oldest first."""
        return self._ledger().releases(limit)

    def pull(self, into: Path, wanted: str | None = None) -> Pulled:
        """Make a local directory of a revision: the live one, or the newest where none is.

        `wanted` is an id, a number or a digest's beginning. Raises UserError when nothing fits.
        """
        if wanted is None:
            names = uploaded(self._provider.blobs, self._layout)
            wanted = self.status().live or (names[-1] if names else "")
        told = Told(self._notify, self._observe)
        return pull(self._provider.blobs, self._layout, wanted, into, told.both)

    def deploy(self, number: int | None = None) -> Outcome:
        """Put a version of the model, the newest by default, beside what is live.

        The first revision of a model is live at once; later ones wait for `promote`. The model
        is read and checked before anything is sent: raises ModelError when it is broken, UserError
        when the platform would not take it. What the platform warns of is a line of progress.
        """
        number, source = resolve(self._model.path, number)
        model, tree = read_saved_model(source, self._model.tags), self._read_tree(source)
        revision = Revision(number, tree.digest)
        artifact = Artifact(model.tensorflow_version, tree.size, len(tree.files), source)

        def plan() -> Plan:
            return planner.plan_deploy(
                self._provider, self._target.name, self._model.name, revision, source
            )

        def prepare() -> None:
            for warning in self._provider.check(artifact):
                self._notify(f"warning: {warning}")
            self._provider.blobs.ensure(self._notify)

        return self._carry_out(plan, prepare)

    def promote(self, version: str | None = None, *, percent: int = ALL) -> Outcome:
        """Give a deployed version, the newest by default, all traffic or a percentage of it.

        Of what is left the others keep their shares in proportion. Raises UserError for a
        percentage that is not 1 to 100, or where the platform cannot split traffic.
        """
        if not 1 <= percent <= ALL:
            raise UserError(f"{percent} is not a percentage of the traffic: 1 to 100 are")

        def plan() -> Plan:
            seen = self.status()
            chosen = planner.newest(seen) if version is None else planner.choose(seen, version)
            return self._plan_traffic(Operation.PROMOTE, chosen, seen, percent)

        return self._carry_out(plan)

    def rollback(self, to: str | None = None) -> Outcome:
        """Give all traffic back to the revision before the live one, or to the one named."""
        left = self.status().live

        def plan() -> Plan:
            seen = self.status()
            if seen.live != left:
                raise ConflictError(
                    "another release moved the traffic meanwhile",
                    where=f"{seen.model} on {seen.target}",
                    hint="look at `cloudserve history` and run it again",
                )
            if to is not None:
                chosen = planner.choose(seen, to)
            else:
                with closing(self._ledger().newest()) as newest:
                    chosen = planner.before(seen, newest)
            return self._plan_traffic(Operation.ROLLBACK, chosen, seen)

        return self._carry_out(plan)

    def _plan_traffic(
        self, operation: Operation, chosen: Deployed, seen: Deployment, percent: int = ALL
    ) -> Plan:
        return planner.plan_traffic(
            self._provider, self._target.name, operation, chosen, seen, percent
        )

    def _carry_out(
        self, make_plan: Callable[[], Plan], prepare: Callable[[], None] | None = None
    ) -> Outcome:
        plan = make_plan()
        if not plan.actions:
            return Outcome(plan, self.status())
        if prepare is not None:
            prepare()
        release, who = uuid.uuid4().hex, actor(self._environ)
        with lock(self._provider.blobs, self._layout.lock, release=release, who=who) as held:
            plan = make_plan()
            if plan.actions:  # another release may have done it before the lock was free
                recorder = Recorder(self._ledger(), plan, release, who)
                execute(plan, self._performer(plan, who), recorder, self._notify, held.check)
        try:
            return Outcome(plan, self.status())
        except CloudserveError as error:
            error.add_note("Every step is done; only what the platform has now could not be read.")
            raise

    def _performer(self, plan: Plan, who: str) -> Callable[[Action, Notify], None]:
        def perform(action: Action, notify: Notify) -> None:
            if action.kind == UPLOAD and plan.source is not None:
                upload(
                    self._provider.blobs,
                    self._layout,
                    plan.revision,
                    plan.source,
                    origin=self._origin(plan.source, who),
                    told=Told(notify, self._observe),
                    read=self._read_tree,
                )
            else:
                self._provider.perform(action, notify)

        return perform

    def _read_tree(self, source: Path) -> Tree:
        return read_tree(source, self._digests)

    def _origin(self, source: Path, who: str) -> Origin:
        commit, dirty = git_state(self._folder)
        wrote = read_saved_model(source, self._model.tags).tensorflow_version
        return Origin(who, wrote, commit, dirty)

    def _ledger(self) -> Ledger:
        return Ledger(self._provider.blobs, self._layout)
