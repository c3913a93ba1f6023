"""The commands as functions: each takes a project and the names of a model and a target.

All of them raise subclasses of CloudserveError (`cloudserve.errors`): UserError for an unknown
name, ModelError for a broken SavedModel, GateRefusedError if a gate of the target refuses the
version, RemoteError with the platform's reason, ConflictError while another release is running.
`overrides` are reasons, by gate, to release a version that the gate refuses; `allow_breaking=True`
is an override of the gate `contract`; `require_other=True` requires an approval by a person
who did not deploy the version. `environ` replaces the process's environment for credentials and
endpoints. `notify` receives lines of progress, `observe` the
events of uploads and downloads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cloudserve.local.model_export import (
    ExamplesInput,
    ExportReport,
    ExportRequest,
    ImageInput,
    TensorNames,
)
from cloudserve.local.model_steps import input_step, output_step, parse_steps
from cloudserve.logs.contract import LogLine, LogQuery
from cloudserve.logs.reading import open_logs
from cloudserve.project import Project
from cloudserve.release import last_known
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import CanaryOutcome, Decided, unobserved
from cloudserve.release.canary.run import promote_by_canary as run_canary
from cloudserve.release.inspection.drift import DriftReport
from cloudserve.release.service import Releases
from cloudserve.release.state.entries import Release
from cloudserve.release.transfer.pull import Pulled
from cloudserve.release.types import Deployment, Outcome, Plan
from cloudserve.storage.events import Notify, Observe, Reporter, ignore

Environ = Mapping[str, str] | None


def deploy(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: int | None = None,
    environ: Environ = None,
    notify: Notify = ignore,
    observe: Observe = ignore,
    allow_breaking: bool = False,
    overrides: Mapping[str, str] | None = None,
    require_other: bool = False,
) -> Outcome:
    """Deploy a version of a model (by default the newest) to a target, beside the live one.

    The first revision receives all traffic, later ones none until `promote`. Deploying a digest
    that is already deployed changes nothing: `Outcome.changed` is False.
    """
    return Releases(
        project,
        model,
        target,
        environ=environ,
        reporter=Reporter(notify, observe),
        allow_breaking=allow_breaking,
        overrides=overrides,
        require_other=require_other,
    ).deploy(version)


def promote(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: str | None = None,
    percent: int = 100,
    environ: Environ = None,
    notify: Notify = ignore,
    allow_breaking: bool = False,
    overrides: Mapping[str, str] | None = None,
    require_other: bool = False,
) -> Outcome:
    """Send all traffic, or `percent` of it, to a deployed version.

    `version` is a number (`2`, `v2`), a revision id or a prefix of a digest; by default the newest.
    """
    releases = Releases(
        project,
        model,
        target,
        environ=environ,
        reporter=Reporter(notify),
        allow_breaking=allow_breaking,
        overrides=overrides,
        require_other=require_other,
    )
    return releases.promote(version, percent=percent)


def promote_by_canary(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    requests: Sequence[bytes],
    *,
    version: str | None = None,
    rules: CanaryRules | None = None,
    on_decision: Callable[[Decided], None] = unobserved,
    environ: Environ = None,
    notify: Notify = ignore,
    allow_breaking: bool = False,
    overrides: Mapping[str, str] | None = None,
    require_other: bool = False,
) -> CanaryOutcome:
    """Promote a deployed version in steps, each decided by what both versions answer.

    `requests` are bodies of predictions, such as `b'{"instances": [1.0]}'`, which both versions are
    sent. `rules` are by default those of the target in the project file. `on_decision` is called at
    the end of each step. Raises CheckFailedError, after the version was rolled back, if it is worse
    or undecided.
    """
    releases = Releases(
        project,
        model,
        target,
        environ=environ,
        reporter=Reporter(notify),
        allow_breaking=allow_breaking,
        overrides=overrides,
        require_other=require_other,
    )
    chosen = rules or CanaryRules(**project.target(target).canary.rules)
    return run_canary(
        releases, requests, version, rules=chosen, reporter=Reporter(notify), observe=on_decision
    )


def approve(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: str | None = None,
    withdraw: bool = False,
    comment: str = "",
    environ: Environ = None,
) -> Release:
    """Approve the files of a version, by default of the newest deployed one, in the ledger.

    The gate `approval` of a target looks for it before the version gets traffic. `withdraw` ends
    all earlier approvals of the same files. Raises CheckFailedError if the target requires the
    approval of a person who did not deploy the version.
    """
    releases = Releases(project, model, target, environ=environ)
    return releases.approve(version, withdraw=withdraw, comment=comment)


def rollback(
    project: Project,
    model: str,
    target: str,
    *,
    to: str | None = None,
    environ: Environ = None,
    notify: Notify = ignore,
) -> Outcome:
    """Send all traffic back to the previously live revision, or to the revision `to`."""
    return Releases(project, model, target, environ=environ, reporter=Reporter(notify)).rollback(to)


def undeploy(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    version: str | None = None,
    everything: bool = False,
    environ: Environ = None,
    notify: Notify = ignore,
) -> Outcome:
    """Remove a version without traffic from a target, or by default all versions without traffic.

    By default the revision that a rollback goes back to stays. `everything` removes the whole
    model: all its versions and its endpoint. The files, manifests and the ledger stay in the
    bucket. Raises ConflictError if the version receives traffic,
    UserError if the target's adapter cannot undeploy.
    """
    releases = Releases(project, model, target, environ=environ, reporter=Reporter(notify))
    return releases.undeploy(version, everything=everything)


def gc(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    keep: int,
    dry_run: bool = False,
    environ: Environ = None,
    notify: Notify = ignore,
) -> Plan:
    """Remove all but the `keep` newest revisions, with unused resources, and their files.

    Returns the plan that was carried out, or only made if `dry_run`: `Plan.collection` has every
    revision, the bytes that its removal frees or why it stays, and unknown objects, which are never
    deleted. A revision stays if it has traffic or an alias, was live or deployed last, or is what a
    rollback goes back to. Raises UserError for a `keep` below 1.
    """
    releases = Releases(project, model, target, environ=environ, reporter=Reporter(notify))
    return releases.plan_gc(keep) if dry_run else releases.gc(keep).plan


def plan(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    operation: str = "deploy",
    *,
    version: str | int | None = None,
    percent: int = 100,
    everything: bool = False,
    offline: bool = False,
    environ: Environ = None,
) -> Plan:
    """Plan what `deploy`, `promote`, `rollback` or `undeploy` would do, without changing anything.

    `version` is the operation's `version` or `to`; `percent` applies to `promote`, `everything` to
    `undeploy`. `Plan.actions` is empty if there is nothing to do. `apply` carries the plan out.
    `offline` plans from the last known state (`remember`) without a network: `Plan.as_of` is its
    time, and `apply` refuses the plan. Raises UserError if there is no such state, or if it does
    not answer everything.
    """
    name = None if version is None else str(version)
    releases = _reading(project, model, target, environ, offline=offline)
    return releases.plan(operation, name, percent, everything=everything)


def apply(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    plan: Plan,
    *,
    environ: Environ = None,
    notify: Notify = ignore,
    observe: Observe = ignore,
    allow_breaking: bool = False,
    overrides: Mapping[str, str] | None = None,
    require_other: bool = False,
) -> Outcome:
    """Carry out a plan, if it is still up to date.

    Raises ConflictError, before any change, if the platform, the target's fields or the model's
    files changed since the plan was made. Applying an interrupted plan again continues it.
    """
    return Releases(
        project,
        plan.model,
        plan.target,
        environ=environ,
        reporter=Reporter(notify, observe),
        allow_breaking=allow_breaking,
        overrides=overrides,
        require_other=require_other,
    ).apply(plan)


def pull(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    into: Path | str,
    *,
    version: str | None = None,
    environ: Environ = None,
    notify: Notify = ignore,
    observe: Observe = ignore,
) -> Pulled:
    """Download a released revision's files into a new directory and verify their digests.

    `version` is a number, a revision id or a prefix of a digest; by default the live revision. The
    directory appears atomically. `observe` receives the events of the transfer
    (`cloudserve.storage`).
    """
    releases = Releases(project, model, target, environ=environ, reporter=Reporter(notify, observe))
    return releases.pull(Path(into), version)


def status(project: Project, model: str, target: str, *, environ: Environ = None) -> Deployment:
    """Read a model's deployment from the platform: revisions, states, traffic shares (sum 1)."""
    return Releases(project, model, target, environ=environ).status()


def drift(
    project: Project, model: str, target: str, *, offline: bool = False, environ: Environ = None
) -> DriftReport:
    """Compare the project file, the ledger and the platform; `drifts` is empty if they agree.

    `offline` takes ledger and platform from the last known state, as `plan` does.
    """
    return _reading(project, model, target, environ, offline=offline).drift()


def remember(project: Project, model: str, target: str, *, environ: Environ = None) -> bool:
    """Read what plans and drifts depend on, and keep it on this machine for `offline=True`.

    The command line does this after each command that reads or changes a target. Changes nothing on
    the target. Returns False if the target's adapter, or this machine, keeps no states.
    """
    return last_known.remember(project, model, target, environ=environ)


def _reading(
    project: Project, model: str, target: str, environ: Environ, *, offline: bool
) -> Releases:
    if offline:
        return last_known.recall(project, model, target, environ=environ)
    return Releases(project, model, target, environ=environ)


def read_logs(  # noqa: PLR0913 - keywords, each with its default
    project: Project,
    model: str,
    target: str,
    *,
    since: datetime,
    contains: str = "",
    job: str = "",
    environ: Environ = None,
) -> Sequence[LogLine]:
    """Read what the model's containers printed, from the platform's log service, oldest first.

    `since` has a time zone; `contains` selects lines with a text, `job` the lines of a batch job.
    Raises UserError for a target whose platform keeps no logs.
    """
    return open_logs(project, model, target, environ)(LogQuery(since, contains, job))


def history(
    project: Project, model: str, target: str, *, limit: int | None = None, environ: Environ = None
) -> tuple[Release, ...]:
    """Read the releases of a model (who, when, which digest), oldest first, times in UTC.

    Returns all of them or the last `limit`; each costs about five requests to the bucket.
    """
    return Releases(project, model, target, environ=environ).history(limit)


def export(  # noqa: PLR0913 - keywords, each with its default
    source: object,
    base: Path | str,
    *,
    version: int | None = None,
    image: ImageInput | None = None,
    examples: ExamplesInput | None = None,
    tensors: Mapping[str, TensorNames] | None = None,
    names: Mapping[str, str] | None = None,
    preprocess: Mapping[str, Sequence[str]] | None = None,
    postprocess: Mapping[str, Sequence[str]] | None = None,
    custom_objects: str = "",
    trusted: bool = False,
    open_batch: bool = False,
    tags: tuple[str, ...] = ("serve",),
) -> ExportReport:
    """Write a Keras model, a `tf.Module` or the model of a file as a version of a base path.

    `source` is the model, or the path of a `.keras` or `.h5` file, a checkpoint, a frozen graph or
    a SavedModel with `tags`, or `MODULE:FUNCTION`. The version is loaded as TensorFlow Serving does
    and compared with the model before it appears. `version` is by default the next number; `image`
    and `examples` add signatures that decode, `tensors` those of a graph, `names` copies of others;
    `preprocess` and `postprocess` build steps into the graph, by the name of an input or output, as
    texts: `{"pixels": ["rescale:1/255"]}`, `{"scores": ["softmax", "top_k:5:labels.txt"]}`.
    `custom_objects` is the module of a Keras file's own classes, `trusted` runs code in the file.
    `open_batch` opens a fixed first dimension of the inputs, to any number of rows; the answers to
    1, 3 and 7 rows are compared with those of the source, asked in batches of its size.
    Raises UserError if the version exists, ModelError for a model that cannot be exported.
    """
    from cloudserve.registry import local_server

    request = ExportRequest(
        version=version,
        image=image,
        examples=examples,
        tensors=tensors or {},
        names=names or {},
        preprocess=parse_steps(preprocess or {}, input_step),
        postprocess=parse_steps(postprocess or {}, output_step),
        custom_objects=custom_objects,
        trusted=trusted,
        open_batch=open_batch,
        tags=tags,
    )
    return local_server().export(source, Path(base), request)
