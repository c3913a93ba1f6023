"""The ownership of SageMaker resources, read from their tags.

Earlier versions tagged resources with the model alone: such an endpoint belongs to the bucket that
its SageMaker Models read, and is tagged at the target's next change.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.owner import Owner
from cloudserve.storage.events import Reporter

from ...ownership import Ownership, Resource
from ..errors import is_denied
from .actions.steps import SetTags
from .fields.tags import with_names
from .records import REVISION_ID, Endpoint, bucket_of, source_of, tag_list

if TYPE_CHECKING:
    from .api.calls import SageMaker

logger = logging.getLogger(__name__)
PROVING = re.compile(rf".+-{REVISION_ID.pattern}")
"""An endpoint of one revision, beside that of a staged target."""


class Owned:
    """The endpoints and SageMaker Models of one target."""

    def __init__(
        self, api: SageMaker, names: Ownership, more: Mapping[str, str] | None = None
    ) -> None:
        """Take the names and tags that tell the owner, and `more` tags of new resources."""
        self._api = api
        self._names = names
        self._more = more or {}
        self._read: set[str] = set()
        self._others: set[str] = set()

    def forget(self) -> None:
        """Read again whose endpoints there are: a tape is to have all that an answer depends on."""
        self._read.clear()
        self._others.clear()

    def endpoint(self, model: str) -> Endpoint | None:
        """Read a model's endpoint, or None.

        Raises ConflictError for one of another owner or of inference components, and where the
        target's endpoint may have been made while the project had a single target here.
        """
        endpoint = self._api.endpoint(self._names.endpoint(model))
        if endpoint is not None:
            self._check_hosts_models(endpoint)
            endpoint = replace(endpoint, tags=self._api.tags(endpoint.arn))
            self._names.claims(model, self._as_resource(endpoint))
            return endpoint
        former = self._names.former(model)
        before = self._api.endpoint(former) if former else None
        if before is not None:
            self._names.check_former(model, self._as_resource(before))
        self._names.check_beside(model, self._beside())
        return None

    def _check_hosts_models(self, endpoint: Endpoint) -> None:
        """Raise ConflictError for an endpoint whose models are inference components.

        Even with this target's tags nothing of it is from a release, and no release may change it.
        """
        if any("ModelName" not in spec for spec in endpoint.variants):
            raise ConflictError(
                f"the endpoint {endpoint.name} hosts inference components, which cloudserve does"
                " not release",
                where=self._api.where,
                hint="give this target a name of its own with `endpoint_name`",
            )

    def check_reader(self, model: str) -> None:
        """Raise ConflictError before the first prediction of another owner's endpoint.

        The check is skipped for a caller who may predict and not read.
        """
        if model in self._read:
            return
        try:
            self.endpoint(model)
        except RemoteError as error:
            if not is_denied(error):
                raise
            logger.info("it is not known whose endpoint answers: %s", error.message)
        self._read.add(model)

    def _beside(self) -> Iterator[Resource]:
        """Yield the endpoints of the region, without those that prove single revisions.

        Those of other projects are not read again.
        """
        for arn in self._api.endpoint_arns():
            name = arn.rpartition("/")[2]
            if arn in self._others or PROVING.fullmatch(name):
                continue
            tags = self._api.tags(arn)
            owner = Owner.read(tags)
            if owner is None or owner.project != self._names.owner.project:
                self._others.add(arn)
                continue
            yield Resource(
                f"the endpoint {name}",
                self._api.where,
                tags,
                tuple,
                partial(_add_tags, arn),
                is_endpoint=True,
                name=name,
            )

    def check(self, endpoint: Endpoint, model: str) -> None:
        """Raise ConflictError for an endpoint of another owner."""
        self._names.claims(model, self._as_resource(endpoint))

    def take(self, endpoint: Endpoint, model: str, reporter: Reporter) -> None:
        """Write the owner on an endpoint that has none; raises ConflictError for another's."""
        if self._names.claims(model, self._as_resource(endpoint)):
            return
        self._api.change(
            f"tag the endpoint {endpoint.name}",
            "add_tags",
            ResourceArn=endpoint.arn,
            Tags=tag_list(self._names.tags(model)),
        )
        reporter.line(f"the endpoint {endpoint.name} is tagged: it belongs to {self._names.owner}")

    def is_own(self, model: str, record: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
        """Return whether a SageMaker Model is the target's."""
        return self._names.is_own(model, self._as_model(record, tags))

    def is_marked(self, model: str, tags: Mapping[str, str]) -> bool:
        """Return whether a resource's tags name the target's owner and a model."""
        resource = Resource("", self._api.where, tags, tuple, str)
        return Owner.read(tags) is not None and self._names.is_own(model, resource)

    def owns_config(self, model: str, record: Mapping[str, Any]) -> bool:
        """Return whether an endpoint configuration is the target's."""
        arn = str(record["EndpointConfigArn"])
        variants = (*record["ProductionVariants"], *record.get("ShadowProductionVariants", ()))
        resource = Resource(
            f"the endpoint configuration {arn.rpartition('/')[2]}",
            self._api.where,
            self._api.tags(arn),
            lambda: self._buckets_of(variants),
            lambda tags: _add_tags(arn, tags),
        )
        return self._names.is_own(model, resource)

    def check_model(self, model: str, record: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Raise ConflictError if a SageMaker Model is another owner's."""
        self._names.claims(model, self._as_model(record, tags))

    def check_name(self, model: str, name: str) -> None:
        """Raise ConflictError if a SageMaker Model of this name exists and is another owner's."""
        record = self._api.model(name)
        if record is not None:
            self.check_model(model, record, self._api.tags(record["ModelArn"]))

    def other_owner(self, arn: str) -> Owner | None:
        """Return the owner in a resource's tags if it is another one."""
        owner = Owner.read(self._api.tags(arn))
        return None if owner == self._names.owner else owner

    def is_tagged(self, arn: str) -> bool:
        """Return whether a resource's tags name an owner."""
        return Owner.read(self._api.tags(arn)) is not None

    def inherits(self, buckets: Iterable[str]) -> bool:
        """Return whether a resource without an owner is the target's, by its files' buckets."""
        return self._names.owner.may_inherit(buckets)

    def taken(self, what: str) -> ConflictError:
        """Return the error for a name that another owner's resource has."""
        return ConflictError(
            f"the {what} exists and is not this release's",
            where=self._api.where,
            hint=f"delete the {what}, or give the target another `endpoint_name`",
        )

    def tags(
        self, model: str, users: Mapping[str, str] | None = None, **more: str | float
    ) -> list[dict[str, str]]:
        """Return the tags of a model's resources; `users` replaces the target's `tags`."""
        users = self._more if users is None else users
        return tag_list({**with_names(users), **self._names.tags(model)}, **more)

    def change_tags(self, step: SetTags) -> None:
        """Write and remove a resource's tags; raises ConflictError for another owner's."""
        arn, existing = step.arn, self._api.tags(step.arn)
        what = arn.rpartition(":")[2]
        resource = Resource(what, self._api.where, existing, tuple, partial(_add_tags, arn))
        self._names.claims(step.model, resource)
        if step.tags:
            self._api.change(f"tag {what}", "add_tags", ResourceArn=arn, Tags=tag_list(step.tags))
        gone = [name for name in step.removed if name in existing]
        if gone:
            self._api.change(f"untag {what}", "delete_tags", ResourceArn=arn, TagKeys=gone)

    def _as_resource(self, endpoint: Endpoint) -> Resource:
        return Resource(
            f"the endpoint {endpoint.name}",
            self._api.where,
            self._api.tags(endpoint.arn) if endpoint.tags is None else endpoint.tags,
            lambda: self._buckets(endpoint),
            lambda tags: _add_tags(endpoint.arn, tags),
            is_endpoint=True,
            name=endpoint.name,
        )

    def _as_model(self, record: Mapping[str, Any], tags: Mapping[str, str]) -> Resource:
        arn = str(record["ModelArn"])
        return Resource(
            f"the SageMaker Model {arn.rpartition('/')[2]}",
            self._api.where,
            tags,
            lambda: {bucket_of(source_of(record))},
            lambda more: _add_tags(arn, more),
        )

    def _buckets(self, endpoint: Endpoint) -> Iterable[str]:
        """Read the buckets of the endpoint's models; deleted models have none."""
        return self._buckets_of((*endpoint.variants, *endpoint.shadows))

    def _buckets_of(self, variants: Iterable[Mapping[str, Any]]) -> Iterable[str]:
        names = {str(spec["ModelName"]) for spec in variants if "ModelName" in spec}
        records = (self._api.model(name) for name in sorted(names))
        return {bucket_of(source_of(record)) for record in records if record is not None}


def _add_tags(arn: str, tags: Mapping[str, str]) -> str:
    words = " ".join(f"Key={key},Value={value}" for key, value in tags.items())
    return f"aws sagemaker add-tags --resource-arn {arn} --tags {words}"
