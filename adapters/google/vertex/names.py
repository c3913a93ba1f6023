"""The names and the ownership of a target's models and endpoints on Vertex AI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudserve.errors import UserError
from cloudserve.project import Target
from cloudserve.release.types import Revision

from ...options import value_of
from ...ownership import Ownership, Resource, ownership
from ..labels import bucket_label, label_value, version_labels
from .fields.options import Options

ENDPOINT = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[0-9]+")
"""Source: aiplatform v1, `endpoints.create`, endpointId; the service's own are numbers."""
Record = Mapping[str, Any]


def resource_id(name: str) -> str:
    """Return a name as Vertex AI takes it for models and endpoints: lower case and "-"."""
    return name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Names:
    """The names and labels of one target."""

    own: Ownership
    more: Mapping[str, str] = field(default_factory=dict)
    """The target's labels, beside cloudserve's own."""

    def endpoint(self, model: str) -> str:
        """Return the id of a model's endpoint; raises UserError for an invalid id."""
        name = self.own.endpoint(model)
        if not ENDPOINT.fullmatch(name):
            raise UserError(
                f"`{name}` is not an endpoint's id on Vertex AI",
                where=f"{model} on {self.own.target}",
                hint="set `endpoint_name`: at most 63 letters, digits and -, a letter first; "
                "or the number of an existing endpoint",
            )
        return name

    def model(self, model: str) -> str:
        """Return the id of a model in the registry: the endpoint's, unless that is a number."""
        endpoint = self.endpoint(model)
        return endpoint if endpoint[0].isalpha() else resource_id(f"{model}-{self.own.target}")

    def labels(
        self,
        model: str,
        revision: Revision | None = None,
        users: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the labels of a resource: the target's (or `users`), and cloudserve's own."""
        of_revision = version_labels(revision) if revision else {}
        more = self.more if users is None else users
        return {**more, **self.own.tags(model), **of_revision}

    def check_versions(self, model: str, records: Iterable[Record], where: str) -> None:
        """Raise ConflictError for a model in the registry that is another owner's, or has versions.

        Versions without cloudserve's labels, which somebody added by hand, belong to nobody.
        """
        every = [self._version(model, record, where) for record in records]
        labelled = [
            resource for resource in every if self.own.tags(model).keys() & resource.tags.keys()
        ]
        for resource in labelled or every[:1]:
            self.own.claims(model, resource)

    def _version(self, model: str, record: Record, where: str) -> Resource:
        bucket = bucket_label(str(record.get("artifactUri", "")))
        return Resource(
            f"the model {self.model(model)}",
            where,
            record.get("labels", {}),
            lambda: [bucket],
            lambda tags: f"give its versions the labels {_pairs(tags)}",
        )

    def found_endpoint(
        self, endpoint: str, record: Record, versions: Iterable[Record], where: str
    ) -> Resource:
        """Return an endpoint with the buckets of what is deployed on it, or would be."""
        return Resource(
            f"the endpoint {endpoint}",
            where,
            record.get("labels", {}),
            lambda: _buckets(record, list(versions)),
            lambda tags: (
                f"gcloud ai endpoints update {record['name']} --update-labels={_pairs(tags)}"
            ),
            is_endpoint=True,
            name=endpoint,
        )


def _buckets(endpoint: Record, versions: list[Record]) -> set[str]:
    """Return the buckets of the versions that are on an endpoint; of all where none is."""
    placed = {
        (_model(name := str(on.get("model", ""))), on.get("modelVersionId") or _number(name))
        for on in endpoint.get("deployedModels", ())
    }
    deployed = [v for v in versions if (_model(str(v["name"])), v.get("versionId")) in placed]
    return {bucket_label(str(v.get("artifactUri", ""))) for v in deployed or versions}


def _model(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]


def _number(name: str) -> str:
    return name.partition("@")[2]


def _pairs(tags: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in tags.items())


def names_of(target: Target, options: Options, bucket: str, environ: Mapping[str, str]) -> Names:
    """Return the names of a target, which are taken within a region of its project."""

    def place(of: Target) -> tuple[str, ...]:
        return tuple(value_of(of, Options, name, environ) for name in ("project", "region"))

    name = options.endpoint_name
    own = ownership(target, bucket, name, place=place, fold=resource_id, encode=label_value)
    return Names(own, options.labels)
