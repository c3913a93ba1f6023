"""The stored SageMaker resources and their tags.

A document is the answer of Describe. Internal fields are stored beside it (`Record`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ...pages import page
from ...resources import Document, Resources, shown
from ..protocol.arns import ACCOUNT, arn
from ..protocol.errors import invalid

TAGS = "aws/tags"
Tag = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource and its names in the API."""

    table: str
    arn: str
    noun: str
    name_field: str
    arn_field: str
    list_field: str
    status_field: str = ""
    """The field that StatusEquals and SortBy=Status are about; "" if there is none."""


MODEL = Kind("aws/model", "model", "model", "ModelName", "ModelArn", "Models")
CONFIG = Kind(
    "aws/endpoint-config",
    "endpoint-config",
    "endpoint configuration",
    "EndpointConfigName",
    "EndpointConfigArn",
    "EndpointConfigs",
)
ENDPOINT = Kind(
    "aws/endpoint",
    "endpoint",
    "endpoint",
    "EndpointName",
    "EndpointArn",
    "Endpoints",
    "EndpointStatus",
)
COMPONENT = Kind(
    "aws/inference-component",
    "inference-component",
    "inference component",
    "InferenceComponentName",
    "InferenceComponentArn",
    "InferenceComponents",
    "InferenceComponentStatus",
)
PACKAGE_GROUP = Kind(
    "aws/model-package-group",
    "model-package-group",
    "model package group",
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupSummaryList",
)
PACKAGE = Kind(
    "aws/model-package",
    "model-package",
    "model package",
    "",
    "ModelPackageArn",
    "ModelPackageSummaryList",
)
"""Its name is GROUP/NUMBER, which no field has: the end of its ARN."""
TRANSFORM = Kind(
    "aws/transform-job",
    "transform-job",
    "transform job",
    "TransformJobName",
    "TransformJobArn",
    "TransformJobSummaries",
    "TransformJobStatus",
)
_KINDS = (MODEL, CONFIG, ENDPOINT, COMPONENT, PACKAGE_GROUP, PACKAGE, TRANSFORM)
NO_TAGS = (
    "Tags are not supported in Model Package versions. Please add them to the Model Package Group"
)
"""The service's words (aws/aws-cdk#33699)."""
_DEFAULT_PAGE = 10
_MOST_TAGS = 50


class Records:
    """Reads and writes SageMaker's resources by region and name."""

    def __init__(
        self,
        resources: Resources,
        clock: Callable[[], float] = time.time,
        rehearsed: Collection[str] = (),
    ) -> None:
        self.resources = resources
        self.rehearsed = frozenset(rehearsed)
        """The images that a local command replaces."""
        self.now = clock
        """Returns seconds since 1970, the API's representation of time."""

    def create(
        self, kind: Kind, region: str, name: str, document: Document, tags: list[Tag]
    ) -> str:
        """Write a new resource with its tags and return its ARN; raises AwsError if it exists."""
        name_arn = arn(region, kind.arn, name)
        identity = {kind.arn_field: name_arn, "CreationTime": self.now()}
        if kind.name_field:
            identity[kind.name_field] = name
        with self.resources.transaction():
            if not self.resources.create(kind.table, f"{region}/{name}", identity | document):
                raise invalid(f'Cannot create already existing {kind.noun} "{name_arn}".')
            if tags:
                self.add_tags(name_arn, tags)
        return name_arn

    def find(self, kind: Kind, region: str, name: str) -> Document | None:
        """Return a stored resource, or None."""
        return self.resources.get(kind.table, f"{region}/{name}")

    def stored(self, kind: Kind, region: str, name: str) -> Document:
        """Return a stored resource; raises AwsError if it does not exist."""
        document = self.find(kind, region, name)
        if document is None:
            raise invalid(f'Could not find {kind.noun} "{arn(region, kind.arn, name)}".')
        return document

    def get(self, kind: Kind, region: str, name: str) -> Document:
        """Return a resource as Describe shows it."""
        return shown(self.stored(kind, region, name))

    def put(self, kind: Kind, region: str, document: Document) -> None:
        """Replace a stored resource."""
        name = document[kind.arn_field].partition(f":{kind.arn}/")[2]
        self.resources.put(kind.table, f"{region}/{name}", document)

    def delete(self, kind: Kind, region: str, name: str) -> None:
        """Remove a resource and its tags; raises AwsError if it does not exist."""
        document = self.stored(kind, region, name)
        with self.resources.transaction():
            self.resources.delete(kind.table, f"{region}/{name}")
            self.resources.delete(TAGS, document[kind.arn_field])

    def page(
        self, kind: Kind, region: str, query: Mapping[str, Any], fields: tuple[str, ...]
    ) -> Document:
        """Return a page of a List call, filtered and sorted by its query (newest first)."""
        stored = (shown(document) for _, document in self.resources.list(kind.table, f"{region}/"))
        chosen = [d for d in stored if _matches(d, kind, query)]
        by = query.get("SortBy", "CreationTime")
        key = {"Name": kind.name_field, "Status": kind.status_field}.get(by, by)
        ascending = query.get("SortOrder", "Descending") == "Ascending"
        chosen.sort(key=lambda d: (d.get(key, 0.0), d[kind.name_field]), reverse=not ascending)
        items = [(d[kind.name_field], {f: d[f] for f in fields if f in d}) for d in chosen]
        try:
            size = query.get("MaxResults", _DEFAULT_PAGE)
            listed, token = page(items, size, query.get("NextToken"))
        except ValueError as error:
            raise invalid("Invalid NextToken.") from error
        answer: Document = {kind.list_field: listed}
        return answer | ({"NextToken": token} if token else {})

    def tags(self, resource_arn: str) -> list[dict[str, str]]:
        """Return a resource's tags by key; raises AwsError if it does not exist."""
        self._check_arn(resource_arn)
        stored = self.resources.get(TAGS, resource_arn) or {}
        return [{"Key": key, "Value": stored[key]} for key in sorted(stored)]

    def add_tags(self, resource_arn: str, tags: list[Tag]) -> None:
        """Add or replace tags by key; raises AwsError for too many, and for reserved keys.

        Source: AWS General Reference, "Tag naming limits and requirements": the prefix `aws:`, in
        any case, is reserved (sagemaker-python-sdk#1362); AddTags: "Tag keys must be unique".
        """
        if self._check_arn(resource_arn) is PACKAGE:
            raise invalid(NO_TAGS)
        keys = [tag["Key"] for tag in tags]
        for key in keys:
            if key.lower().startswith("aws:"):
                raise invalid(f'The tag key "{key}" begins with "aws:", which is reserved.')
            if keys.count(key) > 1:
                raise invalid(f'The tag key "{key}" is given more than once.')
        stored = self.resources.get(TAGS, resource_arn) or {}
        stored |= {tag["Key"]: tag["Value"] for tag in tags}
        if len(stored) > _MOST_TAGS:
            raise invalid(f"A resource has no more than {_MOST_TAGS} tags.")
        self.resources.put(TAGS, resource_arn, stored)

    def remove_tags(self, resource_arn: str, keys: list[str]) -> None:
        """Remove tags by key; missing keys are ignored."""
        self._check_arn(resource_arn)
        stored = self.resources.get(TAGS, resource_arn) or {}
        kept = {key: value for key, value in stored.items() if key not in keys}
        self.resources.put(TAGS, resource_arn, kept)

    def _check_arn(self, resource_arn: str) -> Kind:
        """Return the kind of a resource; raises AwsError if it does not exist."""
        region, _, rest = resource_arn.removeprefix("arn:aws:sagemaker:").partition(":")
        kind_name, _, name = rest.removeprefix(f"{ACCOUNT}:").partition("/")
        for kind in _KINDS:
            if kind.arn == kind_name and self.resources.get(kind.table, f"{region}/{name}"):
                return kind
        raise invalid(f'Could not find resource "{resource_arn}".')


def _matches(document: Document, kind: Kind, query: Mapping[str, Any]) -> bool:
    created, modified = document["CreationTime"], document.get("LastModifiedTime", 0.0)
    status, name = document.get(kind.status_field), document[kind.name_field]
    equal = {"StatusEquals": status} | {
        f"{field}Equals": document.get(field) for field in ("EndpointName", "VariantName")
    }
    return (
        query.get("NameContains", "").lower() in name.lower()
        and created <= query.get("CreationTimeBefore", created)
        and created >= query.get("CreationTimeAfter", created)
        and modified <= query.get("LastModifiedTimeBefore", modified)
        and modified >= query.get("LastModifiedTimeAfter", modified)
        and all(query.get(field, value) == value for field, value in equal.items())
    )
