"""Plans of deployments and of traffic, and the choice of a revision. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import tee
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.hints import choose_from, printable
from cloudserve.release.planning.resolve import meant
from cloudserve.release.provider import Provider
from cloudserve.release.state.entries import Event, Release
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import is_uploaded
from cloudserve.release.traffic import ALL
from cloudserve.release.types import (
    CREATE_BUCKET,
    UPLOAD,
    Action,
    Deployed,
    Deployment,
    Operation,
    Plan,
    Reading,
    Revision,
    State,
)


def plan_deploy(
    provider: Provider, layout: Layout, reading: Reading, revision: Revision, source: Path | None
) -> Plan:
    """Plan to deploy a revision beside existing ones; no actions if it is already deployed.

    `source` is its local directory; None if it is not available, because it was uploaded before.
    """
    model, deployment = layout.model, reading.deployment
    location = layout.location(revision)
    actions: list[Action] = []
    if not provider.blobs.exists():
        actions.append(create_bucket(provider.blobs.url))
    if not is_uploaded(provider.blobs, layout, revision):
        actions.append(
            Action(
                UPLOAD,
                f"upload {printable(source or model)} to {location.saved_model_url}",
                undo=f"delete the objects under {location.root_url}",
            )
        )
    actions.extend(provider.plan_deploy(reading, revision, location))
    return Plan(
        Operation.DEPLOY,
        layout.target,
        model,
        revision,
        tuple(actions),
        source=source,
        previous=deployment.live,
        state=deployment.fingerprint,
    )


def create_bucket(url: str) -> Action:
    """Return the action that creates a bucket; it is idempotent."""
    return Action(CREATE_BUCKET, f"make the bucket {url}", undo=f"delete the bucket {url}")


def plan_traffic(
    provider: Provider,
    layout: Layout,
    reading: Reading,
    operation: Operation,
    chosen: Deployed,
    percent: int = ALL,
) -> Plan:
    """Plan to give one deployed revision a share of the traffic; no actions if it has it."""
    deployment = reading.deployment
    model, target = layout.model, layout.target
    if chosen.state is not State.READY:
        because = f": {chosen.reason}" if chosen.reason else ""
        raise ConflictError(
            f"{chosen.revision.id} is {chosen.state}, not ready{because}",
            where=f"{model} on {target}",
            hint=f"cloudserve deploy {model} --target {target}",
        )
    _check_rest(deployment, chosen.revision.id, percent)
    return Plan(
        operation,
        target,
        model,
        chosen.revision,
        provider.plan_traffic(reading, chosen.revision.id, percent),
        previous=deployment.live,
        percent=percent,
        state=deployment.fingerprint,
    )


def _check_rest(deployment: Deployment, chosen: str, percent: int) -> None:
    others = [name for name, share in deployment.traffic.items() if share > 0 and name != chosen]
    if percent < ALL and not others:
        raise UserError(
            f"no revision beside {chosen} has traffic: no revision would get the other "
            f"{ALL - percent} %",
            where=f"{deployment.model} on {deployment.target}",
            hint=f"cloudserve promote {deployment.model} --target {deployment.target}, "
            "without --percent",
        )


def choose(deployment: Deployment, wanted: str) -> Deployed:
    """Find a deployed revision by `2`, `v2`, its id or a prefix of its digest.

    Raises UserError, with the choices, if none or several match.
    """
    deployed = {d.revision.id: d for d in deployment.revisions}
    fits = meant(wanted, {name: d.revision.digest for name, d in deployed.items()})
    if len(fits) == 1:
        return deployed[fits[0]]
    candidates = sorted(fits or deployed, key=lambda name: deployed[name].revision.number)
    what = "fits several revisions" if fits else "is not deployed"
    deploy = f"deploy one: cloudserve deploy {deployment.model} --target {deployment.target}"
    raise UserError(
        f"version `{wanted}` of {deployment.model} {what}",
        where=f"{deployment.model} on {deployment.target}",
        hint=choose_from(candidates) if candidates else deploy,
    )


def newest(deployment: Deployment) -> Deployed:
    """Return the deployed revision with the highest number, the last made of several."""
    if not deployment.revisions:
        raise UserError(
            f"nothing of {deployment.model} is deployed",
            where=f"{deployment.model} on {deployment.target}",
            hint=f"cloudserve deploy {deployment.model} --target {deployment.target}",
        )
    return max(
        deployment.revisions,
        key=lambda d: (d.revision.number, d.created.timestamp() if d.created else 0.0),
    )


def previously_live(deployment: Deployment, newest: Iterable[Release]) -> str:
    """Return the id of the revision that was live before the present one, from the ledger.

    `newest` are the releases, newest first, read as needed. Rollbacks are ignored, so a second
    rollback does not restore the revision that the first one replaced. A release without a recorded
    end still counts: its revision is live, so it succeeded. While several revisions share the
    traffic, the last promoted one counts as live. If nothing is live because the model was taken
    down as a whole, it is the revision that was live then.
    Raises UserError when the ledger knows of none.
    """
    name = rollback_name(deployment, newest)
    if name:
        return name
    raise UserError(
        f"there is no earlier revision of {deployment.model} to go back to",
        where=f"{deployment.model} on {deployment.target}",
        hint="name one with --to; `cloudserve status` lists what is deployed",
    )


def rollback_name(deployment: Deployment, newest: Iterable[Release]) -> str:
    """Return the id of the revision that a rollback gives the traffic to; "" if there is none."""
    releases, again = tee(r for r in newest if r.outcome is not Event.REFUSED)
    taken_over = _taken_over(deployment, releases)
    for release in again:
        if taken_over is None and release.everything and release.previous:
            return release.previous
        if (
            release.operation in {Operation.DEPLOY, Operation.PROMOTE}
            and release.revision == taken_over
            and release.previous not in {None, taken_over}
        ):
            return str(release.previous)
    return ""


def had_all_traffic(revision_id: str, newest: Iterable[Release]) -> bool:
    """Return whether the ledger knows that a revision had all the traffic.

    `newest` are the releases, the newest first, read as needed. A release that found the revision
    live knows it too, unless a promotion to a part of the traffic had made it live: the revision
    with the largest share counts as live.
    """
    found_live = False
    for release in newest:
        if release.revision == revision_id:
            if _gave_all(release):
                return True
            found_live = found_live and release.percent == ALL
        found_live = found_live or release.previous == revision_id
    return found_live


def _gave_all(release: Release) -> bool:
    if release.outcome is not Event.FINISHED or release.percent != ALL:
        return False
    is_first = release.operation is Operation.DEPLOY and release.previous is None
    return is_first or release.operation in {Operation.PROMOTE, Operation.ROLLBACK}


def _taken_over(deployment: Deployment, newest: Iterable[Release]) -> str | None:
    sharing = {name for name, share in deployment.traffic.items() if share > 0}
    if len(sharing) > 1:
        for release in newest:
            if release.operation is Operation.PROMOTE and release.revision in sharing:
                return release.revision
    return deployment.live
