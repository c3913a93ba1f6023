"""The stored resources of the offline Vertex AI, by full name, and their form in the API.

Each version of a model is stored separately: the model's document is the counter of its versions.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...status import Code
from ..google.common.errors import ApiError
from ..google.common.etag import etag
from ..latency import Clock
from ..resources import Document, Record, Resources

MODEL, VERSION = "vertex/model", "vertex/version"
ENDPOINT, JOB, OPERATION = "vertex/endpoint", "vertex/job", "vertex/operation"
POOL, POLICY = "vertex/pool", "vertex/policy"
TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."
DEFAULT_ALIAS = "default"
_LARGEST_ID = 2**63


class Version(Record, frozen=True):
    """A model version."""

    artifact: str | None
    """The key of the copy of its files; None if the model has no `artifactUri`."""

    @property
    def model(self) -> str:
        """Return the full name of its model."""
        return str(self.document["name"])

    @property
    def number(self) -> str:
        """Return its `versionId`."""
        return str(self.document["versionId"])

    @property
    def name(self) -> str:
        """Return its full name, MODEL@NUMBER."""
        return f"{self.model}@{self.number}"

    @property
    def key(self) -> str:
        """Return the name under which it is stored, which sorts by number."""
        return version_key(self.model, self.number)

    @property
    def display_name(self) -> str:
        """Return its display name."""
        return str(self.document["displayName"])

    @property
    def aliases(self) -> Sequence[str]:
        """Return its aliases."""
        aliases: Sequence[str] = self.document.get("versionAliases", ())
        return aliases

    @property
    def image(self) -> str:
        """Return the URI of its container image."""
        return str(self.document.get("containerSpec", {}).get("imageUri", ""))

    def runs_in(self, deployed: Mapping[str, Any]) -> bool:
        """Return whether a DeployedModel is a deployment of this version."""
        model = deployed["model"].partition("@")[0]
        return bool(model == self.model and deployed["modelVersionId"] == self.number)


class Job(Record, frozen=True):
    """A batch prediction job, and its model's version at the time of its creation."""

    stored_version: Document = msgspec.field(name="_version")

    @property
    def version(self) -> Version:
        """Return the version."""
        return Version.read(self.stored_version)

    @property
    def name(self) -> str:
        """Return its full name."""
        return str(self.document["name"])

    @property
    def state(self) -> str:
        """Return its JobState."""
        return str(self.document["state"])


class Records:
    """Reads Vertex AI's resources by their full names."""

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self.resources = resources
        self._clock = clock

    def now(self) -> str:
        """Return the current time in the API's format (RFC 3339 in UTC)."""
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def endpoint(self, name: str) -> Document:
        """Return a stored endpoint; raises ApiError NOT_FOUND."""
        return self._get(ENDPOINT, name, "Endpoint")

    def pool(self, name: str) -> Document:
        """Return a stored deployment resource pool; raises ApiError NOT_FOUND."""
        return self._get(POOL, name, "DeploymentResourcePool")

    def job(self, name: str) -> Job:
        """Return a stored batch prediction job; raises ApiError NOT_FOUND."""
        return Job.read(self._get(JOB, name, "BatchPredictionJob"))

    def jobs(self, parent: str = "") -> list[Job]:
        """Return the batch prediction jobs of a location, or of all, by name."""
        prefix = f"{parent}/batchPredictionJobs/" if parent else ""
        return [Job.read(stored) for _, stored in self.resources.list(JOB, prefix)]

    def put_job(self, job: Job) -> None:
        """Write a batch prediction job."""
        self.resources.put(JOB, job.name, job.stored())

    def model(self, name: str) -> Document:
        """Return a model's counter of versions; raises ApiError NOT_FOUND."""
        return self._get(MODEL, name, "Model")

    def _get(self, kind: str, name: str, word: str) -> Document:
        document = self.resources.get(kind, name)
        if document is None:
            raise not_found(word, name)
        return document

    def versions(self, model: str) -> list[Version]:
        """Return a model's versions, oldest first."""
        stored = self.resources.list(VERSION, f"{model}@")
        return [Version.read(document) for _, document in stored]

    def version(self, name: str) -> Version:
        """Return the version that `MODEL`, `MODEL@ID` or `MODEL@ALIAS` names; raises ApiError."""
        model, _, label = name.partition("@")
        self.model(model)
        label = label or DEFAULT_ALIAS
        for version in self.versions(model):
            if label == version.number or label in version.aliases:
                return version
        raise not_found("Model", name)

    def deployed_version(self, deployed: Mapping[str, Any]) -> Version:
        """Return the version that a DeployedModel runs, in one read; raises ApiError."""
        model, number = deployed["model"].partition("@")[0], deployed["modelVersionId"]
        version = self.resources.get(VERSION, version_key(model, number))
        if version is None:
            raise not_found("Model", f"{model}@{number}")
        return Version.read(version)

    def put_version(self, version: Version) -> None:
        """Write a version under its name and number."""
        self.resources.put(VERSION, version.key, version.stored())

    def move_aliases(self, version: Version, added: Sequence[str], removed: Sequence[str]) -> None:
        """Add aliases to a version, remove others, and take the added ones from other versions."""
        for other in self.versions(version.model):
            if other.number == version.number:
                kept = [alias for alias in other.aliases if alias not in removed]
                aliases = list(dict.fromkeys([*kept, *added]))
            elif set(added) & set(other.aliases):
                aliases = [alias for alias in other.aliases if alias not in added]
            else:
                continue
            self.put_changed(other.having(other.document | {"versionAliases": aliases}))

    def put_changed(self, version: Version) -> None:
        """Write a version with a new update time."""
        now = self.now()
        document = version.document | {"updateTime": now, "versionUpdateTime": now}
        if not version.aliases:
            document.pop("versionAliases", None)
        self.put_version(version.having(document))

    def put_endpoint(self, endpoint: Document) -> None:
        """Write an endpoint with a new update time."""
        changed = endpoint | {"updateTime": self.now()}
        self.resources.put(ENDPOINT, endpoint["name"], changed)

    def deployments(self, version: Version) -> list[Document]:
        """Return a version's deployments, as Model.deployedModels shows them."""
        return [
            {"endpoint": name, "deployedModelId": deployed["id"]}
            for name, endpoint in self.resources.list(ENDPOINT)
            for deployed in endpoint.get("deployedModels", ())
            if version.runs_in(deployed)
        ]

    def shown_version(self, version: Version) -> Document:
        """Return a model version as the API shows it."""
        deployments = self.deployments(version)
        labels = self._labels(version)
        more: Document = {"deployedModels": deployments} if deployments else {}
        more |= {"labels": labels} if labels else {}
        return version.document | {"etag": etag(version.stored())} | more

    def _labels(self, version: Version) -> dict[str, str]:
        """Return the labels of a version and its model, merged as the API shows them."""
        model = self.resources.get(MODEL, version.model) or {}
        return {**model.get("labels", {}), **version.document.get("labels", {})}


def version_key(model: str, number: str) -> str:
    """Return the name under which a version is stored, which sorts by number."""
    return f"{model}@{int(number):09d}"


def new_id() -> str:
    """Return a number of 19 digits, as Vertex AI generates IDs."""
    return str(_LARGEST_ID // 8 + secrets.randbelow(_LARGEST_ID // 8 * 7))


def not_found(word: str, name: str) -> ApiError:
    """Return the error for an unknown name."""
    return ApiError(Code.NOT_FOUND, f"{word} `{name}` not found.")


def invalid(message: str) -> ApiError:
    """Return the error for an invalid argument."""
    return ApiError(Code.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> ApiError:
    """Return the error for a resource in the wrong state."""
    return ApiError(Code.FAILED_PRECONDITION, message)
