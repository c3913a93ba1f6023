"""The stored resources of the offline Vertex AI, by full name, and their form in the API.

Stored documents are the API's own; private fields start with "_" and are never shown. Each version
of a model has its own document: the model's document is the counter of its versions.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ...status import Code
from ..google.common.errors import ApiError
from ..google.common.etag import etag
from ..latency import Clock
from ..resources import Document, Resources

MODEL, VERSION = "vertex/model", "vertex/version"
ENDPOINT, JOB, OPERATION = "vertex/endpoint", "vertex/job", "vertex/operation"
TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."
DEFAULT_ALIAS = "default"
_LARGEST_ID = 2**63


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

    def job(self, name: str) -> Document:
        """Return a stored batch prediction job; raises ApiError NOT_FOUND."""
        return self._get(JOB, name, "BatchPredictionJob")

    def model(self, name: str) -> Document:
        """Return a model's counter of versions; raises ApiError NOT_FOUND."""
        return self._get(MODEL, name, "Model")

    def _get(self, kind: str, name: str, word: str) -> Document:
        document = self.resources.get(kind, name)
        if document is None:
            raise not_found(word, name)
        return document

    def versions(self, model: str) -> list[Document]:
        """Return a model's versions, oldest first."""
        return [document for _, document in self.resources.list(VERSION, f"{model}@")]

    def version(self, name: str) -> Document:
        """Return the version that `MODEL`, `MODEL@ID` or `MODEL@ALIAS` names; raises ApiError."""
        model, _, label = name.partition("@")
        self.model(model)
        label = label or DEFAULT_ALIAS
        for version in self.versions(model):
            if label == version["versionId"] or label in version.get("versionAliases", ()):
                return version
        raise not_found("Model", name)

    def deployed_version(self, deployed: Mapping[str, Any]) -> Document:
        """Return the version that a DeployedModel runs, in one read; raises ApiError."""
        model, number = deployed["model"].partition("@")[0], deployed["modelVersionId"]
        key = version_key({"name": model, "versionId": number})
        version = self.resources.get(VERSION, key)
        if version is None:
            raise not_found("Model", f"{model}@{number}")
        return version

    def put_version(self, version: Document) -> None:
        """Write a version under its name and number."""
        self.resources.put(VERSION, version_key(version), version)

    def move_aliases(
        self, version: Document, added: Sequence[str], removed: Sequence[str]
    ) -> Document:
        """Add aliases to a version, remove others, and take the added ones from other versions."""
        for other in self.versions(version["name"]):
            if other["versionId"] == version["versionId"]:
                kept = [a for a in other.get("versionAliases", ()) if a not in removed]
                other["versionAliases"] = list(dict.fromkeys([*kept, *added]))
                version = other
            elif not set(added) & set(other.get("versionAliases", ())):
                continue
            else:
                other["versionAliases"] = [a for a in other["versionAliases"] if a not in added]
            self.put_changed(other)
        return version

    def put_changed(self, version: Document) -> None:
        """Write a version with a new update time."""
        if not version.get("versionAliases"):
            version.pop("versionAliases", None)
        now = self.now()
        self.put_version(version | {"updateTime": now, "versionUpdateTime": now})

    def put_endpoint(self, endpoint: Document) -> None:
        """Write an endpoint with a new update time."""
        changed = endpoint | {"updateTime": self.now()}
        self.resources.put(ENDPOINT, endpoint["name"], changed)

    def deployments(self, version: Mapping[str, Any]) -> list[Document]:
        """Return a version's deployments, as Model.deployedModels shows them."""
        return [
            {"endpoint": name, "deployedModelId": deployed["id"]}
            for name, endpoint in self.resources.list(ENDPOINT)
            for deployed in endpoint.get("deployedModels", ())
            if is_of(deployed, version)
        ]

    def shown_version(self, version: Document) -> Document:
        """Return a model version as the API shows it."""
        deployments = self.deployments(version)
        return shown(version) | ({"deployedModels": deployments} if deployments else {})


def is_of(deployed: Mapping[str, Any], version: Mapping[str, Any]) -> bool:
    """Return whether a DeployedModel is a deployment of this version."""
    model = deployed["model"].partition("@")[0]
    return bool(model == version["name"] and deployed["modelVersionId"] == version["versionId"])


def version_key(version: Mapping[str, Any]) -> str:
    """Return the key of a version, which sorts by number."""
    return f"{version['name']}@{int(version['versionId']):09d}"


def shown(document: Mapping[str, Any]) -> Document:
    """Return a stored document as the API shows it, with its etag."""
    public = {key: value for key, value in document.items() if not key.startswith("_")}
    return public | {"etag": etag(document)}


def new_id() -> str:
    """Return a number of 19 digits, as Vertex AI generates IDs."""
    return str(_LARGEST_ID // 8 + secrets.randbelow(_LARGEST_ID // 8 * 7))


def not_found(word: str, name: str) -> ApiError:
    """Return the error for an unknown name (clouds.md H.2)."""
    return ApiError(Code.NOT_FOUND, f"{word} `{name}` not found.")


def invalid(message: str) -> ApiError:
    """Return the error for an invalid argument."""
    return ApiError(Code.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> ApiError:
    """Return the error for a resource in the wrong state."""
    return ApiError(Code.FAILED_PRECONDITION, message)
