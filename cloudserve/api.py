"""The verbs as functions, for programs: each takes a project, a model and a target by name.

All raise CloudserveError's subclasses (`cloudserve.errors`): UserError for unknown names,
ModelError for a broken SavedModel, CheckFailedError for a version whose signatures do not answer
the requests of the live one (`allow_breaking=True` releases it), RemoteError with the platform's
reason, ConflictError when another release is running. `environ` replaces the process's environment
for credentials and endpoints; `notify` takes lines of progress, `observe` the events of uploads
and downloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudserve.project import Project
from cloudserve.release.nouns import Deployment, Plan
from cloudserve.release.pull import Pulled
from cloudserve.release.service import Outcome, Releases, quiet
from cloudserve.release.state.ledger import Release
from cloudserve.storage.contract import Notify
from cloudserve.storage.events import Observe, ignore

Environ = Mapping[str, str] | None


def deploy(  # noqa: PLR0913 - a release, and who is told
    project: Project,
    model: str,
    target: str,
    *,
    version: int | None = None,
    environ: Environ = None,
    notify: Notify = quiet,
    observe: Observe = ignore,
    allow_breaking: bool = False,
) -> Outcome:
    """Put a version of a model (the newest by default) on a target, beside what is live.

    The first revision takes all traffic, later ones none until `promote`. Deploying a digest that
    is there changes nothing: `Outcome.changed` is False.
    """
    return Releases(
        project,
        model,
        target,
        environ=environ,
        notify=notify,
        observe=observe,
        allow_breaking=allow_breaking,
    ).deploy(version)


def promote(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: str | None = None,
    percent: int = 100,
    environ: Environ = None,
    notify: Notify = quiet,
    allow_breaking: bool = False,
) -> Outcome:
    """Give a deployed version all traffic, or `percent` of it.

    `version` is a number (`2`, `v2`), a revision id or a digest's beginning; the newest by default.
    """
    releases = Releases(
        project, model, target, environ=environ, notify=notify, allow_breaking=allow_breaking
    )
    return releases.promote(version, percent=percent)


def rollback(
    project: Project,
    model: str,
    target: str,
    *,
    to: str | None = None,
    environ: Environ = None,
    notify: Notify = quiet,
) -> Outcome:
    """Give all traffic back to the revision that was live before, or to the one named."""
    return Releases(project, model, target, environ=environ, notify=notify).rollback(to)


def undeploy(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: str | None = None,
    everything: bool = False,
    environ: Environ = None,
    notify: Notify = quiet,
) -> Outcome:
    """Remove a version without traffic from a target; all such versions where none is named.

    With `everything` the model as a whole: its versions, those with traffic too, and its endpoint.
    The files, manifests and the ledger stay in the bucket. Raises ConflictError for a version that
    has traffic, UserError where the target's adapter cannot take a model down.
    """
    releases = Releases(project, model, target, environ=environ, notify=notify)
    return releases.undeploy(version, everything=everything)


def plan(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    operation: str = "deploy",
    *,
    version: str | int | None = None,
    percent: int = 100,
    everything: bool = False,
    environ: Environ = None,
) -> Plan:
    """Plan what `deploy`, `promote`, `rollback` or `undeploy` would do; changes nothing.

    `version` is what the verb takes as `version` or `to`, `percent` counts for `promote`,
    `everything` for `undeploy`. The
    plan's `actions` say what would be done, none when nothing is to do; `apply` carries it out.
    """
    name = None if version is None else str(version)
    releases = Releases(project, model, target, environ=environ)
    return releases.plan(operation, name, percent, everything=everything)


def apply(
    project: Project,
    plan: Plan,
    *,
    environ: Environ = None,
    notify: Notify = quiet,
    observe: Observe = ignore,
    allow_breaking: bool = False,
) -> Outcome:
    """Carry out a plan, if it is still what has to be done.

    Raises ConflictError, before anything is done, when the platform, the target's fields or the
    model's files were changed since it was made. Applied again after it was stopped, it goes on.
    """
    return Releases(
        project,
        plan.model,
        plan.target,
        environ=environ,
        notify=notify,
        observe=observe,
        allow_breaking=allow_breaking,
    ).apply(plan)


def pull(  # noqa: PLR0913 - a release, and who is told
    project: Project,
    model: str,
    target: str,
    into: Path | str,
    *,
    version: str | None = None,
    environ: Environ = None,
    notify: Notify = quiet,
    observe: Observe = ignore,
) -> Pulled:
    """Make a local directory of a released revision's files, compared with their digests.

    `version` is a number, a revision id or a digest's beginning; the live one by default. The
    directory appears when it is whole. `observe` takes the events of the transfer
    (`cloudserve.storage`).
    """
    releases = Releases(project, model, target, environ=environ, notify=notify, observe=observe)
    return releases.pull(Path(into), version)


def status(project: Project, model: str, target: str, *, environ: Environ = None) -> Deployment:
    """Read what the platform has of a model: revisions, states, traffic shares (sum 1)."""
    return Releases(project, model, target, environ=environ).status()


def history(
    project: Project, model: str, target: str, *, limit: int | None = None, environ: Environ = None
) -> tuple[Release, ...]:
    """Read who released what, when, from which digest; oldest first, times in UTC.

    All of them, or the last `limit`: each costs about five requests to the bucket.
    """
    return Releases(project, model, target, environ=environ).history(limit)
