"""SageMaker real-time endpoints as a Provider.

A model is one endpoint. A revision is a SageMaker Model and, while it is on the endpoint, a
variant of it; the variants' weights are the traffic. What is live stays on the endpoint next to
what is new; variants that are neither are taken off, because their instances cost money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec

from cloudserve.errors import ConflictError, ProjectError
from cloudserve.project import Target
from cloudserve.release.nouns import Action, Deployed, Deployment, Location, Revision, State
from cloudserve.release.provider import BlobStore, Notify, Provider

from ..extras import extra
from ..options import bucket_name, from_environment, parse_options
from ..polling import Poller
from .endpoint import (
    CHANGING,
    FAILED,
    MODEL,
    REVISION_ID,
    Endpoint,
    Spec,
    canonical,
    config_name,
    endpoint_name,
    model_name,
    new_variant,
    revision_id_of,
    revision_of,
    source_of,
    weighted,
)
from .images import default_image
from .performer import Performer

if TYPE_CHECKING:
    from .api import SageMaker

ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$"


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: sagemaker`."""

    bucket: str
    role_arn: Annotated[str, msgspec.Meta(pattern=ROLE)]
    """The role that SageMaker reads the bucket as."""
    region: str = from_environment("AWS_REGION", "AWS_DEFAULT_REGION")
    instance_type: str = "ml.m5.large"
    instance_count: Annotated[int, msgspec.Meta(ge=1)] = 1
    image: str = ""
    """The container image; AWS's TensorFlow image of the region where it is not given."""
    profile: str = ""
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 1800
    """How long an endpoint is waited for."""


def create(target: Target, environ: Mapping[str, str]) -> Provider:
    """Make the provider of a target: the entry point `sagemaker`. Reaches no network.

    Raises ProjectError for a wrong field, MissingExtraError without `cloudserve[aws]`.
    """
    options = parse_options(target, Options, environ)
    name = bucket_name(target, options.bucket, "s3")
    image = options.image or default_image(options.region, options.instance_type)
    if not image:
        raise ProjectError(
            f"AWS has no TensorFlow image in `{options.region}` that this version knows",
            where=f"{target.where}.region",
            hint="correct `region`, or name a container with `image`",
        )
    with extra(f"target {target.name}", "aws"):
        from .api import SageMaker
        from .session import Access
        from .storage import S3Blobs
    access = Access(environ, options.region, options.profile)
    blobs = S3Blobs(name, region=options.region, access=access)
    poller = Poller(options.timeout_seconds)
    return SageMakerEndpoints(target.name, options, image, SageMaker(access), blobs, poller)


class SageMakerEndpoints:
    """One target on SageMaker."""

    def __init__(
        self,
        target: str,
        options: Options,
        image: str,
        api: SageMaker,
        blobs: BlobStore,
        poller: Poller,
    ) -> None:
        self._target = target
        self._options = options
        self._image = image
        self._api = api
        self._blobs = blobs
        self._performer = Performer(api, poller)

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        return self._blobs

    def describe(self, model: str) -> Deployment:
        """Read the endpoint, its configuration, and the model's SageMaker Models by their tags.

        `traffic` has an entry for each variant, 0 for those that only stand by. Raises
        ConflictError for an endpoint of that name that is not this model's.
        """
        name = endpoint_name(model)
        endpoint = self._api.endpoint(name)
        if endpoint is not None and self._api.tags(endpoint.arn).get(MODEL) != model:
            raise ConflictError(
                f"the endpoint {name} is there and is not cloudserve's for {model}",
                where=self._api.where,
                hint="release the model under another name",
            )
        revisions = self._revisions(model, endpoint)
        if endpoint is None:
            return Deployment(model, self._target, revisions)
        return Deployment(
            model,
            self._target,
            revisions,
            endpoint.shares,
            endpoint.state,
            endpoint.reason,
            name,
        )

    def plan_deploy(
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

    def plan_traffic(self, model: str, revision_id: str, seen: Deployment) -> tuple[Action, ...]:
        """Plan new weights; a revision that was taken off the endpoint is put on it again."""
        if seen.traffic.get(revision_id) == 1.0:
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
            return tuple(self._plan_config(model, revision_id, endpoint, {revision_id: 1.0}))
        return (
            Action(
                "set-weights",
                "set-weights",
                f"give {revision_id} all traffic of the endpoint {name}",
                {"endpoint": name, "revision": revision_id},
                f"give it back to {seen.live}" if seen.live else "",
            ),
        )

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action and wait until the endpoint is in service."""
        self._performer.perform(action, notify)

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Invoke the endpoint, by its weights or with one revision's variant."""
        return self._api.invoke(endpoint_name(model), revision_id, body)

    def _revisions(self, model: str, endpoint: Endpoint | None) -> tuple[Deployed, ...]:
        names = self._api.model_names(f"{endpoint_name(model)}-v")
        found = (self._deployed(model, name, endpoint) for name in names)
        return tuple(deployed for deployed in found if deployed)

    def _deployed(self, model: str, name: str, endpoint: Endpoint | None) -> Deployed | None:
        """Return the revision that a SageMaker Model is, or None when it is not ours."""
        revision_id = revision_id_of(name, model)
        record = self._api.model(name) if revision_id else None
        if record is None:
            return None
        tags = self._api.tags(record["ModelArn"])
        revision = revision_of(tags)
        if revision is None or revision.id != revision_id or tags.get(MODEL) != model:
            return None
        source, created = source_of(record), record["CreationTime"]
        if endpoint is None or not (endpoint.has(revision.id) or endpoint.status in CHANGING):
            return Deployed(revision, State.READY, source, created)
        reason = endpoint.reason if endpoint.state is State.FAILED else None
        return Deployed(revision, endpoint.state, source, created, reason)

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
