"""Plan what SageMaker has to do. Reads the endpoint as it is now, never changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudserve.errors import ConflictError
from cloudserve.release.nouns import Action, Deployment, Location, Revision
from cloudserve.release.traffic import ALL, percents, split

from .endpoint import (
    CHANGING,
    FAILED,
    REVISION_ID,
    Endpoint,
    Spec,
    canonical,
    config_name,
    endpoint_name,
    model_name,
    new_variant,
    source_of,
    weighted,
)
from .options import Options

if TYPE_CHECKING:
    from .api import SageMaker


class Planner:
    """Plans for one target; its performer carries the actions out."""

    def __init__(self, target: str, options: Options, image: str, api: SageMaker) -> None:
        self._target = target
        self._options = options
        self._image = image
        self._api = api

    def deploy(
        self, model: str, revision: Revision, location: Location, seen: Deployment
    ) -> tuple[Action, ...]:
        """Plan a SageMaker Model and an endpoint with it beside what is live.

        A failed endpoint takes no other call than its deletion, so it is deleted and made anew.
        """
        endpoint = self._api.endpoint(endpoint_name(model))
        if endpoint is not None and endpoint.status in CHANGING:
            return (self._plan_wait(endpoint, revision.id),)
        if endpoint is not None and endpoint.status == FAILED:
            actions, endpoint = [_plan_delete(endpoint)], None
        else:
            actions = []
        if endpoint is not None and endpoint.has(revision.id):
            return ()
        actions += self._plan_model(model, revision, location, seen)
        shares = endpoint.shares if endpoint else {}
        actions += self._plan_config(model, revision.id, endpoint, shares or {revision.id: 1.0})
        return tuple(actions)

    def traffic(
        self, model: str, revision_id: str, seen: Deployment, percent: int
    ) -> tuple[Action, ...]:
        """Plan new weights; a revision that was taken off the endpoint is put on it again."""
        wanted = split(seen.traffic, revision_id, percent)
        if wanted == percents(seen.traffic):
            return ()
        name = endpoint_name(model)
        endpoint = self._api.endpoint(name)
        if endpoint is None or endpoint.status == FAILED:
            raise ConflictError(
                f"there is no working endpoint {name}",
                where=self._api.where,
                hint=f"cloudserve deploy {model} --target {self._target}",
            )
        if not endpoint.has(revision_id):
            shares = {variant: part / ALL for variant, part in wanted.items()}
            return tuple(self._plan_config(model, revision_id, endpoint, shares))
        share = "all traffic" if wanted == {revision_id: ALL} else f"{percent} % of the traffic"
        return (
            Action(
                "set-weights",
                "set-weights",
                f"give {revision_id} {share} of the endpoint {name}",
                {
                    "endpoint": name,
                    "revision": revision_id,
                    "weights": msgspec.json.encode(wanted, order="deterministic").decode(),
                },
                f"give it back to {seen.live}" if seen.live else "",
            ),
        )

    def _plan_wait(self, endpoint: Endpoint, revision_id: str) -> Action:
        coming = self._api.variants(endpoint.pending) if endpoint.pending else ()
        names = {spec["VariantName"] for spec in (*endpoint.variants, *coming)}
        if revision_id not in names or endpoint.status == "Deleting":
            raise ConflictError(
                f"the endpoint {endpoint.name} is {endpoint.status}: another change is under way",
                where=self._api.where,
                hint="run the same command again when it is done",
            )
        return Action(
            "await-endpoint",
            "await-endpoint",
            f"wait for the endpoint {endpoint.name}, which is {endpoint.status}",
            {"endpoint": endpoint.name},
        )

    def _plan_model(
        self, model: str, revision: Revision, location: Location, seen: Deployment
    ) -> list[Action]:
        """Plan the SageMaker Model; one with another image, role or source is replaced."""
        name = model_name(model, revision.id)
        args: dict[str, str | int | float] = {
            "model": model,
            "name": name,
            "number": revision.number,
            "digest": revision.digest,
            "image": self._image,
            "source": location.root_url,
            "role_arn": self._options.role_arn,
        }
        create = Action(
            "create-model",
            "create-model",
            f"create the model {name} from {location.root_url} with {self._image}",
            args,
            f"delete the model {name}",
        )
        there = self._api.model(name) if seen.find(revision.id) else None
        if there is None:
            return [create]
        image = there.get("PrimaryContainer", {}).get("Image")
        now = (image, source_of(there), there["ExecutionRoleArn"])
        if now == (self._image, location.root_url, self._options.role_arn):
            return []
        sentence = f"delete the model {name}, which has another image, source or role"
        return [Action("delete-model", "delete-model", sentence, args), create]

    def _plan_config(
        self, model: str, added: str, endpoint: Endpoint | None, shares: Mapping[str, float]
    ) -> list[Action]:
        """Plan an endpoint with one more variant, with these shares of the traffic."""
        options = self._options
        sm_model = model_name(model, added)
        new = new_variant(added, sm_model, options.instance_type, options.instance_count)
        kept, idle = _sort_out(endpoint)
        variants = canonical(weighted((*kept, new), shares))
        name, config = endpoint_name(model), config_name(model, variants)
        args: dict[str, str | int | float] = {"model": model, "endpoint": name, "config": config}
        kind = "update-endpoint" if endpoint else "create-endpoint"
        return [
            Action(
                "create-endpoint-config",
                "create-endpoint-config",
                f"create the endpoint configuration {config}: {_told(kept, added, shares)}",
                {**args, "variants": variants},
                f"delete the endpoint configuration {config}",
            ),
            Action(
                kind,
                kind,
                f"{'update' if endpoint else 'create'} the endpoint {name} with {config}, "
                f"{options.instance_count} x {options.instance_type} for {added}"
                + (f"; this takes the idle {', '.join(idle)} off it" if idle else ""),
                args,
                f"update it to {endpoint.config}" if endpoint else f"delete the endpoint {name}",
            ),
        ]


def _plan_delete(endpoint: Endpoint) -> Action:
    why = endpoint.reason or "no reason given"
    return Action(
        "delete-endpoint",
        "delete-endpoint",
        f"delete the endpoint {endpoint.name}, which failed ({why}) and takes no update",
        {"endpoint": endpoint.name},
    )


def _sort_out(endpoint: Endpoint | None) -> tuple[tuple[Spec, ...], tuple[str, ...]]:
    """Return the variants to keep, and the names of our own that have no traffic."""
    if endpoint is None:
        return (), ()
    shares = endpoint.shares
    idle = tuple(
        name
        for name in (str(spec["VariantName"]) for spec in endpoint.variants)
        if REVISION_ID.fullmatch(name) and not shares.get(name)
    )
    return tuple(s for s in endpoint.variants if s["VariantName"] not in idle), idle


def _told(kept: Sequence[Spec], added: str, shares: Mapping[str, float]) -> str:
    names = [*(str(spec["VariantName"]) for spec in kept), added]
    return ", ".join(f"{name} {shares.get(name, 0.0):.0%}" for name in names)
