"""Plan how SageMaker loses revisions of a model, or the model as a whole.

An endpoint goes before the configurations that it was made with, and those before the SageMaker
Models that they name: `describe` lists a revision by its SageMaker Model, so what a killed run left
is still found. Only what carries this model's tags is planned. Model packages, archives and files
stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ConflictError
from cloudserve.release.nouns import DIGITS_IN_ID, Action, Deployment

from ....ownership import Ownership
from ..options import Options
from ..ownership import Owned
from ..records import CHANGING, DIGEST, FAILED, Endpoint, Spec, carries, model_name, weighted
from .actions import Args, Steps, await_endpoint, update_endpoint

if TYPE_CHECKING:
    from ..api import SageMaker

DELETING = "Deleting"


class Removal:
    """Plans for one target; its performer carries the actions out."""

    def __init__(
        self, options: Options, image: str, api: SageMaker, names: Ownership, owned: Owned
    ) -> None:
        self._steps = Steps(options, image, names)
        self._api = api
        self._names = names
        self._owned = owned

    def plan(
        self, model: str, revision_ids: Sequence[str] | None, seen: Deployment
    ) -> tuple[Action, ...]:
        """Return what takes these revisions off, or all of the model; () where nothing is left."""
        base = self._names.endpoint(model)
        main = self._owned.endpoint(model)
        if revision_ids is None:
            going = [deployed.revision.id for deployed in seen.revisions]
            actions = self._endpoint_goes(model, main) if main else []
        else:
            going = list(revision_ids)
            actions = self._leave_endpoint(model, going, main) if main else []
        for revision_id in going:
            staging = self._api.endpoint(model_name(base, revision_id))
            actions += self._endpoint_goes(model, staging) if staging else []
        names = [model_name(base, revision_id) for revision_id in going]
        naming = None if revision_ids is None else frozenset(names)
        actions += delete_configs(self._api, self._owned, base, model, naming)
        return (*actions, *delete_models(self._api, self._owned, names, model))

    def _endpoint_goes(self, model: str, endpoint: Endpoint) -> list[Action]:
        self._owned.check(endpoint, model)
        return delete_endpoint(endpoint, model)

    def _leave_endpoint(self, model: str, going: Sequence[str], main: Endpoint) -> list[Action]:
        """Plan the endpoint without these revisions' variants; a failed one takes no update."""
        if main.status in CHANGING:
            return self._await_update(model, going, main)
        base = self._names.endpoint(model)
        served = any(main.serves(name, base) for name in going)
        if main.status == FAILED:
            return self._endpoint_goes(model, main) if served else []
        kept = _without(main.variants, going, base)
        shadows = _without(main.shadows, going, base)
        if len(kept) == len(main.variants) and len(shadows) == len(main.shadows):
            return []
        if not kept:
            raise ConflictError(
                f"the endpoint {main.name} would be left without a variant",
                where=self._api.where,
                hint=f"take the model down as a whole: cloudserve undeploy {model} --all",
            )
        names = ", ".join(going)
        config = self._steps.config(
            model, weighted(kept, main.shares), f"without {names}", tuple(shadows)
        )
        chosen = max(kept, key=lambda spec: main.shares.get(str(spec["VariantName"]), 0.0))
        sentence = f"which takes {names} off it"
        return [config, update_endpoint(config, main, str(chosen["VariantName"]), sentence)]

    def _await_update(self, model: str, going: Sequence[str], main: Endpoint) -> list[Action]:
        """Plan to wait for the update that an earlier run began; others' are refused."""
        base = self._names.endpoint(model)
        coming = self._api.variants(main.pending) if main.pending else main.variants
        if main.status == DELETING or any(carries(coming, name, base) for name in going):
            raise ConflictError(
                f"the endpoint {main.name} is {main.status}: another change is under way",
                where=self._api.where,
                hint="run the same command again when it is done",
            )
        return [await_endpoint(main, "")]


def delete_endpoint(endpoint: Endpoint, owner: str) -> list[Action]:
    """Return what deletes an endpoint that is tagged as `owner`'s, after a change under way."""
    is_changing = endpoint.status in CHANGING - {DELETING}
    action = Action(
        f"delete-{endpoint.name}",
        "delete-endpoint",
        f"delete the endpoint {endpoint.name}",
        {"endpoint": endpoint.name, "model": owner, "idle": 1},
    )
    return [await_endpoint(endpoint, ""), action] if is_changing else [action]


def delete_configs(
    api: SageMaker, owned: Owned, prefix: str, owner: str, naming: frozenset[str] | None
) -> list[Action]:
    """Return what deletes an owner's endpoint configurations.

    Their names are `PREFIX-` and a digest. With `naming` only those with a variant of one of these
    SageMaker Models.
    """
    pattern = re.compile(rf"{re.escape(prefix)}-[0-9a-f]{{{DIGITS_IN_ID}}}")
    names = (name for name in api.config_names(f"{prefix}-") if pattern.fullmatch(name))
    found = ((name, api.config(name)) for name in sorted(names))
    return [
        Action(
            f"delete-config-{name}",
            "delete-endpoint-config",
            f"delete the endpoint configuration {name}",
            {"config": name, "model": owner},
        )
        for name, record in found
        if record is not None
        and (naming is None or naming & _models_of(record))
        and owned.owns_config(owner, record)
    ]


def delete_models(
    api: SageMaker, owned: Owned, names: Sequence[str], owner: str
) -> Iterator[Action]:
    """Yield what deletes those of these SageMaker Models that are there and are an owner's."""
    for name in names:
        found = api.model(name)
        if found is None:
            continue
        tags = api.tags(str(found["ModelArn"]))
        if owned.is_own(owner, found, tags):
            args: Args = {"model": owner, "name": name, "digest": tags.get(DIGEST, "")}
            yield Action(f"delete-model-{name}", "delete-model", f"delete the model {name}", args)


def _without(variants: Sequence[Spec], going: Sequence[str], base: str) -> list[Spec]:
    return [spec for spec in variants if not any(carries((spec,), name, base) for name in going)]


def _models_of(config: Mapping[str, Any]) -> set[str]:
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    return {str(spec.get("ModelName", "")) for kind in kinds for spec in config.get(kind, ())}
