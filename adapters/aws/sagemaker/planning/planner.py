"""The plans of an endpoint that revisions share, a variant each.

`single_revision.py` plans where one revision is live at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudserve.errors import ConflictError
from cloudserve.release.traffic import ALL, percents, split
from cloudserve.release.types import Action, Location, Reading, Revision

from ....actions import planned
from ..actions.steps import SetWeights
from ..context import AwsContext
from ..fields.endpoint_config import machines_text, same_machines, same_settings, settings, variant
from ..records import (
    CHANGING,
    FAILED,
    ONLY,
    REVISION_ID,
    Endpoint,
    Spec,
    carries,
    weighted,
)
from ..snapshot import TaggedModel, snapshot_of
from .actions import Steps, await_endpoint, create_endpoint, delete_failed, update_endpoint


class Planner:
    """Plans for one target."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        self._steps = Steps(context)

    def deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan a SageMaker Model and an endpoint with it beside what is live.

        A failed endpoint accepts only its deletion, so it is deleted and created again. A revision
        that runs with another container, other machines or other settings than the target's is
        updated in place.
        """
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        endpoint = self._check_shared(snapshot.endpoint)
        if endpoint is not None and endpoint.status in CHANGING:
            return (self._plan_wait(endpoint, revision.id),)
        existing = snapshot.models.get(revision.id)
        if endpoint is not None and endpoint.has(revision.id) and endpoint.status != FAILED:
            return self._plan_change(model, revision, location, endpoint, existing)
        actions = []
        if endpoint is not None and endpoint.status == FAILED:
            actions, endpoint = [delete_failed(model, endpoint)], None
        is_ours = reading.deployment.find(revision.id) is not None
        existing = existing if is_ours else None
        actions += self._steps.model(model, revision, location, existing)
        shares = endpoint.shares if endpoint else {}
        actions += self._plan_config(model, revision.id, endpoint, shares or {revision.id: 1.0})
        return tuple(actions)

    def traffic(self, reading: Reading, revision_id: str, percent: int) -> tuple[Action, ...]:
        """Plan new weights; a revision that was taken off the endpoint is put on it again."""
        deployment = reading.deployment
        model = deployment.model
        targets = split(deployment.traffic, revision_id, percent)
        if targets == percents(deployment.traffic):
            return ()
        endpoint = self._check_shared(snapshot_of(reading).endpoint)
        if endpoint is None or endpoint.status == FAILED:
            raise self._aws.not_serving(model)
        if not endpoint.has(revision_id):
            shares = {variant: part / ALL for variant, part in targets.items()}
            return tuple(self._plan_config(model, revision_id, endpoint, shares))
        share = "all traffic" if targets == {revision_id: ALL} else f"{percent} % of the traffic"
        return (
            planned(
                SetWeights(model, endpoint.name, revision_id, targets),
                f"give {revision_id} {share} of the endpoint {endpoint.name}",
                f"give it back to {deployment.live}" if deployment.live else "",
            ),
        )

    def _check_shared(self, endpoint: Endpoint | None) -> Endpoint | None:
        """Return the endpoint; raise ConflictError if it serves one revision at a time."""
        if endpoint is not None and endpoint.staged and endpoint.status != FAILED:
            raise ConflictError(
                f"the endpoint {endpoint.name} serves one revision at a time, in the variant "
                f"{ONLY}: a target with `update`, `shadow_percent`, `serverless_memory_mb` or "
                "`async_output` made it",
                where=self._aws.api.where,
                hint="set such a field again, or delete the endpoint and deploy again",
            )
        return endpoint

    def _plan_wait(self, endpoint: Endpoint, revision_id: str) -> Action:
        coming = self._aws.api.variants(endpoint.pending) if endpoint.pending else ()
        on_it = carries((*endpoint.variants, *coming), revision_id, endpoint.name)
        if not on_it or endpoint.status == "Deleting":
            raise self._aws.busy(endpoint)
        return await_endpoint(endpoint, revision_id)

    def _plan_change(
        self,
        model: str,
        revision: Revision,
        location: Location,
        endpoint: Endpoint,
        existing: TaggedModel | None,
    ) -> tuple[Action, ...]:
        """Plan the same revision on the target's machines; () if it runs on them."""
        name = self._aws.model_name(model, revision.id)
        actions = self._steps.model(model, revision, location, existing)
        expected = variant(self._aws.options, revision.id, name)
        before = next(s for s in endpoint.variants if s["VariantName"] == revision.id)
        if not (
            actions
            or newer(existing, endpoint)
            or not same_machines(expected, before)
            or not same_settings(settings(self._aws.options), endpoint)
            or not self._steps.has_extra(endpoint)
        ):
            return ()
        kept = [expected if spec is before else spec for spec in endpoint.variants]
        variants = weighted(kept, endpoint.shares or {revision.id: 1.0})
        config = self._steps.config(model, variants, f"{revision.id} on {machines_text(expected)}")
        sentence = (
            f"{machines_text(expected)} for {revision.id}, which is on {machines_text(before)}"
        )
        return (*actions, config.action, update_endpoint(config, endpoint, revision.id, sentence))

    def _plan_config(
        self, model: str, added: str, endpoint: Endpoint | None, shares: Mapping[str, float]
    ) -> list[Action]:
        """Plan an endpoint with one more variant, with these shares of the traffic."""
        new = variant(self._aws.options, added, self._aws.model_name(model, added))
        kept, idle = _sort_out(endpoint)
        variants = weighted((*kept, new), shares)
        config = self._steps.config(model, variants, _shares_text(kept, added, shares))
        sentence = f"{machines_text(new)} for {added}"
        if endpoint is None:
            return [
                config.action,
                create_endpoint(config, self._aws.names.endpoint(model), added, sentence),
            ]
        if idle:
            sentence += f"; this takes the idle {', '.join(idle)} off it"
        return [config.action, update_endpoint(config, endpoint, added, sentence)]


def newer(existing: TaggedModel | None, endpoint: Endpoint) -> bool:
    """Return whether a SageMaker Model is newer than the endpoint's last change."""
    created = existing.record.get("CreationTime") if existing else None
    return bool(created and endpoint.modified and created > endpoint.modified)


def _sort_out(endpoint: Endpoint | None) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    """Return the variants to keep, and the names of cloudserve's variants without traffic."""
    if endpoint is None:
        return (), ()
    shares = endpoint.shares
    idle = tuple(
        name
        for name in (str(spec["VariantName"]) for spec in endpoint.variants)
        if REVISION_ID.fullmatch(name) and not shares.get(name)
    )
    return tuple(s for s in endpoint.variants if s["VariantName"] not in idle), idle


def _shares_text(kept: Sequence[Spec], added: str, shares: Mapping[str, float]) -> str:
    names = [*(str(spec["VariantName"]) for spec in kept), added]
    return ", ".join(f"{name} {shares.get(name, 0.0):.0%}" for name in names)
