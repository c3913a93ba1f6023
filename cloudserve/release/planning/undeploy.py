"""Plans of undeployments: revisions, or a whole model, are removed from a platform."""

from __future__ import annotations

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.planning.planner import choose
from cloudserve.release.planning.resolve import meant
from cloudserve.release.provider import Provider, UndeployProvider
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import uploaded
from cloudserve.release.types import NO_REVISION, Deployment, Operation, Plan, Reading
from cloudserve.storage.contract import BlobStore


def to_remove(
    blobs: BlobStore,
    layout: Layout,
    deployment: Deployment,
    version: str | None,
    *,
    everything: bool,
) -> tuple[str, ...] | None:
    """Return the ids of the revisions to remove, or None for the whole model.

    Without a version these are the revisions without traffic. Raises UserError for a version that
    is neither deployed nor uploaded, or that several revisions match.
    """
    if everything:
        if version is not None:
            raise UserError("a version and everything cannot both be undeployed", hint="give one")
        return None
    if version is None:
        return tuple(
            d.revision.id for d in deployment.revisions if not deployment.traffic.get(d.revision.id)
        )
    known = {name: name.partition("-")[2] for name in uploaded(blobs, layout)}
    known |= {d.revision.id: d.revision.digest for d in deployment.revisions}
    fits = meant(version, known)
    if len(fits) == 1:  # uploaded and not deployed: nothing to do
        return (fits[0],)
    return (choose(deployment, version).revision.id,)


def plan_undeploy(
    provider: Provider,
    layout: Layout,
    reading: Reading,
    revision_ids: tuple[str, ...] | None,
) -> Plan:
    """Plan to remove revisions that have no traffic, or with None the model as a whole.

    Raises UserError where the adapter cannot, ConflictError for a revision that has traffic.
    """
    deployment = reading.deployment
    if not isinstance(provider, UndeployProvider):
        raise UserError(
            "the adapter of this target's provider cannot take a model down: it has no "
            "`plan_undeploy`",
            where=f"{deployment.model} on {layout.target}",
            hint="update the adapter, or use the platform's own tools",
        )
    going = [
        d
        for d in deployment.revisions
        if revision_ids is None or d.revision.id in set(revision_ids)
    ]
    busy = [name for name in revision_ids or () if deployment.traffic.get(name, 0.0) > 0]
    if busy:
        raise ConflictError(
            f"{', '.join(busy)} has traffic",
            where=f"{deployment.model} on {layout.target}",
            hint="promote another version first, or take the model down as a whole: "
            f"cloudserve undeploy {deployment.model} --target {layout.target} --all",
        )
    gone = tuple(name for name in revision_ids or () if deployment.find(name) is None)
    main = deployment.find(deployment.live or "") if revision_ids is None else None
    newest_first = sorted(going, key=lambda d: d.revision.number, reverse=True)
    chosen = [d.revision for d in ([main] if main else newest_first)]
    return Plan(
        Operation.UNDEPLOY,
        layout.target,
        deployment.model,
        chosen[0] if chosen else NO_REVISION,
        provider.plan_undeploy(reading, revision_ids),
        previous=deployment.live,
        state=deployment.fingerprint,
        removes=(*(d.revision.id for d in going), *gone),
        everything=revision_ids is None,
        kept=f"{layout.bucket}/{layout.root}",
    )
