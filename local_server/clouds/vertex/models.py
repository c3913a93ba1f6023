"""Vertex AI's models and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..latency import Step
from ..resources import Document
from .artifacts import Artifacts
from .deployment.tasks import Deploy
from .listing import BY_NAME_OR_TIME, EQUAL, EQUALITY, MAP, Listing
from .model_updates import ModelUpdates
from .operations import EMPTY, Operations, Outcome, Runner, Task
from .records import (
    DEFAULT_ALIAS,
    MODEL,
    POLICY,
    VERSION,
    Records,
    Version,
    failed_precondition,
    invalid,
)
from .validation import check_merged_aliases

_LISTED = Listing(
    "models",
    {"model": EQUALITY, "displayName": EQUALITY, "labels": MAP, "baseModelName": EQUAL},
    BY_NAME_OR_TIME,
)
_VERSIONS = Listing(
    "models",
    {"labels": MAP},
    {"createTime": "versionCreateTime", "updateTime": "versionUpdateTime"},
)


class _DeleteModel(Task, frozen=True, tag="delete-model"):
    name: str


class _DeleteVersion(Task, frozen=True, tag="delete-version"):
    name: str
    version: str


class Models:
    """The methods of `projects.locations.models`."""

    def __init__(self, records: Records, operations: Operations, artifacts: Artifacts) -> None:
        self._records = records
        self._operations = operations
        self._artifacts = artifacts
        self._updates = ModelUpdates(records)
        metadata = "DeleteOperationMetadata"
        operations.register(
            Runner(_DeleteModel, metadata, Step.DELETE, self._delete_all),
            Runner(_DeleteVersion, metadata, Step.DELETE, self._delete_one),
        )

    def get(self, name: str) -> Document:
        """Return a model version: the named one, or the default.

        The name of a version that is asked for has its number: google-cloud-aiplatform logs it as
        the service answers it (GoogleCloudPlatform/vertex-ai-samples#2768, "models/…@1").
        """
        version = self._records.version(name)
        shown = self._records.shown_version(version)
        return shown | {"name": version.name} if "@" in name else shown

    def list(self, parent: str, query: Mapping[str, Any]) -> Document:
        """Return a page of a location's models, each as its default version, newest first."""
        names = [name for name, _ in self._records.resources.list(MODEL, f"{parent}/models/")]
        items = [(name, self.get(name)) for name in names]
        items.sort(key=lambda item: item[1]["createTime"], reverse=True)
        return _LISTED.answer(items, query)

    def list_versions(self, name: str, query: Mapping[str, Any]) -> Document:
        """Return a page of a model's versions, oldest first.

        Source: aiplatform v1, ListModelVersionsResponse.models: "In the returned Model name field,
        version ID instead of regvision tag will be included."
        """
        model = name.partition("@")[0]
        self._records.model(model)
        versions = self._records.versions(model)
        return _VERSIONS.answer([(v.key, self.get(v.name)) for v in versions], query)

    def patch(self, name: str, body: Document, mask: str | None) -> Document:
        """Change the masked fields of a model, or of the version that is named."""
        self._updates.patch(name, body, mask)
        return self.get(name.removesuffix("@-"))

    def merge_aliases(self, name: str, body: Document) -> Document:
        """Atomically add aliases to a version, and remove those given with "-"."""
        version = self._records.version(name)
        aliases: list[str] = body.get("versionAliases", [])
        if not aliases:
            raise invalid("The field `version_aliases` is required.")
        check_merged_aliases([alias.removeprefix("-") for alias in aliases])
        # Both operations "will be cancelled out", says MergeVersionAliasesRequest.
        added = [a for a in aliases if not a.startswith("-") and f"-{a}" not in aliases]
        removed = [a[1:] for a in aliases if a.startswith("-") and a[1:] not in aliases]
        if DEFAULT_ALIAS in removed and DEFAULT_ALIAS in version.aliases:
            raise invalid(
                f"The alias `{DEFAULT_ALIAS}` cannot be removed; give it to another version."
            )
        with self._records.resources.transaction():
            self._records.move_aliases(version, added, removed)
        return self.get(version.name)

    def delete(self, name: str) -> Document:
        """Start deleting a model with all its versions; refused while one is deployed."""
        if "@" in name:
            raise invalid(f"`{name}` names a version: use models.deleteVersion.")
        self._records.model(name)
        for version in self._records.versions(name):
            self._refuse_deployed(version)
        return self._begin_delete(name, _DeleteModel(name))

    def delete_version(self, name: str) -> Document:
        """Start deleting a version, which must not be deployed, the default, or the only one."""
        model, _, version_id = name.partition("@")
        if not version_id:
            raise invalid(f"`{name}` does not name a version: MODEL@VERSION is expected.")
        version = self._records.version(name)
        self._refuse_deletion(version)
        return self._begin_delete(model, _DeleteVersion(model, version.number))

    def _begin_delete(self, model: str, task: Task) -> Document:
        return self._operations.begin(model.partition("/models/")[0], task, model)

    def _refuse_deletion(self, version: Version) -> None:
        if DEFAULT_ALIAS in version.aliases:
            others = len(self._records.versions(version.model)) > 1
            what = "give the alias to another version first" if others else "delete the model"
            raise failed_precondition(
                f"Model version `{version.name}` is the default version: {what}."
            )
        self._refuse_deployed(version)

    def _refuse_deployed(self, version: Version) -> None:
        """Refuse to delete a version that is deployed or being deployed (FAILED_PRECONDITION)."""
        endpoints = [place["endpoint"] for place in self._records.deployments(version)]
        pending = self._operations.pending(Deploy)
        endpoints += [task.endpoint for task in pending if version.runs_in(task.deployed)]
        if endpoints:
            where = ", ".join(dict.fromkeys(endpoints))
            raise failed_precondition(
                f"The Model is deployed or being deployed at the following Endpoint(s): {where}."
                " Please undeploy the model before retry."
            )

    async def _delete_all(self, task: _DeleteModel) -> Outcome:
        versions = self._records.versions(task.name)
        return await self._deletion(task.name, [version.number for version in versions])

    async def _delete_one(self, task: _DeleteVersion) -> Outcome:
        return await self._deletion(task.name, [task.version])

    async def _deletion(self, model: str, numbers: Sequence[str]) -> Outcome:
        def finish() -> Mapping[str, Any]:
            versions = [v for v in self._records.versions(model) if v.number in numbers]
            for version in versions:
                self._refuse_deployed(version)
                self._records.resources.delete(VERSION, version.key)
            if not self._records.versions(model):
                self._records.resources.delete(MODEL, model)
                self._records.resources.delete(POLICY, model)
            unused.extend(version.artifact for version in versions if version.artifact)
            return EMPTY

        async def after() -> None:
            for artifact in unused:
                await self._artifacts.remove(artifact)

        unused: list[str] = []
        return Outcome(finish, after=after)

    def artifacts_in_use(self) -> set[str]:
        """Return the keys of the copies that versions use.

        An interrupted upload does not count: when it is repeated, it copies again.
        """
        versions = [Version.read(stored) for _, stored in self._records.resources.list(VERSION)]
        return {version.artifact for version in versions if version.artifact}
