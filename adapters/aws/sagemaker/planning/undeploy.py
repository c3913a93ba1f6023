"""The plans that remove revisions of a model, or the whole model, from SageMaker.

An endpoint is deleted before its configurations, and those before the SageMaker Models that they
name: `read` finds a revision by its SageMaker Model, so a killed removal is continued. Only
resources with this model's tags are deleted. Model packages, archives and files are kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ConflictError
from cloudserve.release.collection import Hold
from cloudserve.release.types import DIGITS_IN_ID, Action, Reading

from ....actions import planned
from ..actions.steps import DeleteEndpoint, DeleteEndpointConfig, DeleteModel
from ..context import AwsContext
from ..model_registry import Packages
from ..ownership import Owned
from ..records import (
    CHANGING,
    DIGEST,
    FAILED,
    Endpoint,
    Spec,
    carries,
    model_name,
    revision_id_of,
    weighted,
)
from ..snapshot import TaggedModel, snapshot_of, staging_endpoint
from .actions import Steps, await_endpoint, update_endpoint
from .other_uses import endpoints_of

if TYPE_CHECKING:
    from ..api.calls import SageMaker

DELETING = "Deleting"


class Removal:
    """Plans for one target."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        self._steps = Steps(context)

    def plan(self, reading: Reading, revision_ids: Sequence[str] | None) -> tuple[Action, ...]:
        """Return what removes these revisions, or the whole model; () if nothing is left."""
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        base, main = self._aws.names.endpoint(model), snapshot.endpoint
        if revision_ids is None:
            going = [deployed.revision.id for deployed in reading.deployment.revisions]
            actions = delete_endpoint(main, model, _strangers(main, base)) if main else []
        else:
            going = list(revision_ids)
            actions = self._leave_endpoint(model, going, main) if main else []
        for revision_id in going:
            name = model_name(base, revision_id)
            staging = staging_endpoint(self._aws.api, snapshot, revision_id, name)
            if staging is not None:
                self._aws.owned.check(staging, model)
                actions += delete_endpoint(staging, model)
        names = {model_name(base, revision_id) for revision_id in going}
        naming = None if revision_ids is None else names
        known = (main, *snapshot.staging.values())
        configs = owned_configs(self._aws.api, self._aws.owned, base, model, known)
        actions += [delete_config(c, model) for c in configs if names_one_of(c, naming)]
        models = (snapshot.models.get(revision_id) for revision_id in going)
        return (*actions, *delete_models(self._aws.owned, models, model))

    def _leave_endpoint(self, model: str, going: Sequence[str], main: Endpoint) -> list[Action]:
        """Plan the endpoint without these revisions' variants; a failed one takes no update."""
        if main.status in CHANGING:
            return self._await_update(model, going, main)
        base = self._aws.names.endpoint(model)
        served = any(main.serves(name, base) for name in going)
        if main.status == FAILED:
            return delete_endpoint(main, model) if served else []
        kept = _without(main.variants, going, base)
        shadows = _without(main.shadows, going, base)
        if len(kept) == len(main.variants) and len(shadows) == len(main.shadows):
            return []
        if not kept:
            raise ConflictError(
                f"the endpoint {main.name} would be left without a variant",
                where=self._aws.api.where,
                hint="take the model down as a whole: "
                f"cloudserve undeploy {model} --target {self._aws.names.target} --all",
            )
        names = ", ".join(going)
        config = self._steps.config(
            model, weighted(kept, main.shares), f"without {names}", tuple(shadows)
        )
        chosen = max(kept, key=lambda spec: main.shares.get(str(spec["VariantName"]), 0.0))
        sentence = f"which takes {names} off it"
        return [config.action, update_endpoint(config, main, str(chosen["VariantName"]), sentence)]

    def _await_update(self, model: str, going: Sequence[str], main: Endpoint) -> list[Action]:
        """Plan to wait for the update that an earlier run began; others' are refused."""
        base = self._aws.names.endpoint(model)
        coming = self._aws.api.variants(main.pending) if main.pending else main.variants
        if main.status == DELETING or any(carries(coming, name, base) for name in going):
            raise self._aws.busy(main)
        return [await_endpoint(main, "")]


def delete_endpoint(endpoint: Endpoint, owner: str, strangers: Sequence[str] = ()) -> list[Action]:
    """Plan the deletion of an endpoint that is tagged as `owner`'s, after a running change.

    The sentence names the variants of it that are not from a release (`strangers`).
    """
    is_changing = endpoint.status in CHANGING - {DELETING}
    more = f", with {', '.join(strangers)}, which no release put on it" if strangers else ""
    action = planned(
        DeleteEndpoint(owner, endpoint.name, idle=True),
        f"delete the endpoint {endpoint.name}{more}",
        name=f"delete-{endpoint.name}",
    )
    return [await_endpoint(endpoint, ""), action] if is_changing else [action]


def owned_configs(
    api: SageMaker, owned: Owned, prefix: str, owner: str, endpoints: Iterable[Endpoint | None]
) -> Iterator[Mapping[str, Any]]:
    """Yield an owner's endpoint configurations, which are named `PREFIX-` and a digest.

    The configurations of `endpoints` are not read again.
    """
    known = {endpoint.config: endpoint.config_record for endpoint in endpoints if endpoint}
    pattern = re.compile(rf"{re.escape(prefix)}-[0-9a-f]{{{DIGITS_IN_ID}}}")
    for name in sorted(filter(pattern.fullmatch, api.config_names(f"{prefix}-"))):
        record = known.get(name) or api.config(name)
        if record and owned.owns_config(owner, record):
            yield record


def delete_config(record: Mapping[str, Any], owner: str) -> Action:
    """Return the deletion of an endpoint configuration that is tagged as `owner`'s."""
    name = str(record["EndpointConfigName"])
    sentence = f"delete the endpoint configuration {name}"
    return planned(DeleteEndpointConfig(owner, name), sentence, name=f"delete-config-{name}")


def delete_models(
    owned: Owned, models: Iterable[TaggedModel | None], owner: str
) -> Iterator[Action]:
    """Yield the deletions of those SageMaker Models that exist and are an owner's."""
    for model in models:
        if model is not None and owned.is_own(owner, model.record, model.tags):
            name, digest = model.name, model.tags.get(DIGEST, "")
            step = DeleteModel(owner, name, digest)
            yield planned(step, f"delete the model {name}", name=f"delete-model-{name}")


def _strangers(endpoint: Endpoint, base: str) -> list[str]:
    """Return the variants of an endpoint whose models are not the model's revisions."""
    return [
        str(spec["VariantName"])
        for spec in (*endpoint.variants, *endpoint.shadows)
        if not revision_id_of(str(spec.get("ModelName", "")), base)
    ]


def _without(variants: Sequence[Spec], going: Sequence[str], base: str) -> list[Spec]:
    return [spec for spec in variants if not any(carries((spec,), name, base) for name in going)]


def names_one_of(config: Mapping[str, Any], models: Collection[str] | None) -> bool:
    """Return whether a configuration has a variant of one of these SageMaker Models; None: any."""
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    names = {str(spec.get("ModelName", "")) for kind in kinds for spec in config.get(kind, ())}
    return models is None or not names.isdisjoint(models)


KEEP = "cloudserve-keep"
"""The tag of a SageMaker Model that a person gives to keep a revision."""


class Leftovers:
    """What SageMaker has of a model beside its revisions, and what keeps a revision.

    An endpoint configuration is unused if no endpoint of the region has it, or is being updated to
    it (API reference, `DeleteEndpointConfig`: do not delete the configuration of a live endpoint).
    """

    def __init__(self, context: AwsContext, packages: Packages) -> None:
        self._aws = context
        self._packages = packages

    def holds(self, reading: Reading) -> dict[str, Hold]:
        """Return why revisions stay: a tag, another endpoint, a registered model package."""
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        revisions = [deployed.revision for deployed in reading.deployment.revisions]
        reasons = {
            revision.id: Hold("a model package of the target's group names its files", True)
            for revision in revisions
            if self._packages.has(model, revision)
        }
        base = self._aws.names.endpoint(model)
        own = {base, *(model_name(base, revision.id) for revision in revisions)}
        for endpoint in endpoints_of(self._aws.api):
            if endpoint.name not in own:
                for name in self._served(endpoint, base):
                    reasons[name] = Hold(f"the endpoint {endpoint.name} serves it")
        for name, tagged in snapshot.models.items():
            if KEEP in tagged.tags:
                reasons[name] = Hold(f"its SageMaker Model has the tag {KEEP}")
        return reasons

    def plan(self, reading: Reading, going: Sequence[str]) -> tuple[Action, ...]:
        """Plan to delete the configurations that no endpoint uses and that name no going model."""
        model, main = reading.deployment.model, snapshot_of(reading).endpoint
        base = self._aws.names.endpoint(model)
        names = {model_name(base, revision_id) for revision_id in going}
        configs = [
            config
            for config in owned_configs(self._aws.api, self._aws.owned, base, model, (main,))
            if not names_one_of(config, names)
        ]
        used = self._used() if configs else set()
        return tuple(
            delete_config(config, model)
            for config in configs
            if config["EndpointConfigName"] not in used
        )

    def _used(self) -> set[str]:
        return {name for e in endpoints_of(self._aws.api) for name in (e.config, e.pending) if name}

    def _served(self, endpoint: Endpoint, base: str) -> Iterator[str]:
        coming = self._aws.api.variants(endpoint.pending) if endpoint.pending else ()
        for spec in (*endpoint.variants, *endpoint.shadows, *coming):
            revision_id = revision_id_of(str(spec.get("ModelName", "")), base)
            if revision_id:
                yield revision_id
