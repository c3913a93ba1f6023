"""Plans of rollbacks, also to a revision that is no longer deployed: it is deployed again.

Its files are in the bucket, so nothing is uploaded. While another revision is live, the traffic is
moved by a last action, which is planned when it is performed: the platform's plan of it needs the
deployed revision.
"""

from __future__ import annotations

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.release.planning import planner
from cloudserve.release.planning.resolve import meant
from cloudserve.release.provider import Provider
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import Ledger
from cloudserve.release.state.uploaded import number_of, read_named, uploaded
from cloudserve.release.types import (
    GIVE_TRAFFIC,
    Action,
    Deployment,
    Operation,
    Plan,
    Reading,
    Revision,
)


def plan_rollback(provider: Provider, layout: Layout, reading: Reading, name: str) -> Plan:
    """Plan to give a revision all traffic, after its deployment from the bucket if that is needed.

    Raises UserError if it is neither deployed nor in the bucket.
    """
    deployment = reading.deployment
    chosen = deployment.find(name)
    if chosen is None or deployment.live is None:
        plan = _plan_restoration(provider, layout, reading, name)
        if plan is not None:
            return plan
    if chosen is None:
        raise UserError(
            f"{name} is not deployed any more, and its files are not in the bucket",
            where=f"{deployment.model} on {deployment.target}",
            hint="name the revision to go back to; `cloudserve status` lists what is deployed",
        )
    return planner.plan_traffic(provider, layout, reading, Operation.ROLLBACK, chosen)


def choose_for_rollback(
    provider: Provider, layout: Layout, deployment: Deployment, wanted: str
) -> str:
    """Return the id of a revision that is deployed, or that was and whose files are in the bucket.

    Raises UserError, with the choices, if none or several match.
    """
    deployed = {d.revision.id: d.revision.digest for d in deployment.revisions}
    if meant(wanted, deployed):
        return planner.choose(deployment, wanted).revision.id
    names = {name: name.partition("-")[2] for name in uploaded(provider.blobs, layout)}
    fits = meant(wanted, names)
    if fits:
        released = {release.revision for release in Ledger(provider.blobs, layout).releases()}
        fits = [name for name in fits if name in released]
    if len(fits) > 1:
        raise UserError(
            f"version `{wanted}` of {deployment.model} fits several revisions",
            where=f"{deployment.model} on {deployment.target}",
            hint=choose_from(fits),
        )
    return fits[0] if fits else planner.choose(deployment, wanted).revision.id


def _plan_restoration(
    provider: Provider, layout: Layout, reading: Reading, name: str
) -> Plan | None:
    """Plan the deployment from the bucket; None if there are no files or nothing is missing."""
    manifest = read_named(provider.blobs, layout, name)
    if manifest is None:
        return None
    deployment = reading.deployment
    revision = Revision(number_of(name), manifest.digest)
    actions = provider.plan_deploy(reading, revision, layout.location(revision))
    if not actions:
        return None
    live = deployment.live
    if live is not None:
        args, undo = {"revision": name}, f"promote {live} again"
        actions += (Action(GIVE_TRAFFIC, f"give {name} all traffic", args, undo),)
    return Plan(
        Operation.ROLLBACK,
        layout.target,
        layout.model,
        revision,
        actions,
        previous=live,
        state=deployment.fingerprint,
    )
