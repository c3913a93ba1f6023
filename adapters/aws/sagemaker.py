"""SageMaker real-time endpoints as a Provider.

A model is one endpoint. A revision is a SageMaker Model and, while it is on the endpoint, a
variant of it; the variants' weights are the traffic. What is live stays on the endpoint next to
what is new; variants that are neither are taken off, because their instances cost money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudserve.errors import ConflictError, ProjectError
from cloudserve.project import Target
from cloudserve.release.nouns import (
    Action,
    Artifact,
    Deployed,
    Deployment,
    Location,
    Revision,
    State,
)
from cloudserve.release.provider import BlobStore, Notify, Provider

from ..extras import extra
from ..options import bucket_name, parse_options
from ..polling import Poller
from ..tensorflow_versions import too_old
from .endpoint import (
    CHANGING,
    MODEL,
    Endpoint,
    endpoint_name,
    revision_id_of,
    revision_of,
    source_of,
)
from .images import default_image, tensorflow_of
from .options import Options
from .performer import Performer
from .planner import Planner

if TYPE_CHECKING:
    from .api import SageMaker


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
        self._api = api
        self._blobs = blobs
        self._image = image
        self._planner = Planner(target, options, image, api)
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

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Compare the TensorFlow that wrote a model with the image's, where the image says it."""
        version = tensorflow_of(self._image)
        return too_old(self._image, version, artifact.tensorflow_version)

    def plan_deploy(
        self, model: str, revision: Revision, location: Location, seen: Deployment
    ) -> tuple[Action, ...]:
        """Plan a SageMaker Model and an endpoint with it beside what is live."""
        return self._planner.deploy(model, revision, location, seen)

    def plan_traffic(
        self, model: str, revision_id: str, seen: Deployment, percent: int = 100
    ) -> tuple[Action, ...]:
        """Plan new weights; a revision that was taken off the endpoint is put on it again."""
        return self._planner.traffic(model, revision_id, seen, percent)

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
