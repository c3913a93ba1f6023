"""AI Platform's versions, each a SavedModel that is loaded from its bucket in the background.

Every change of state is in the database before it is visible. `restore` resumes the versions that a
killed emulator left in an intermediate state (CREATING, DELETING).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....runtime.loading.serving_image import ServingImage
from ....status import Code
from ...background_tasks import BackgroundTasks
from ...latency import Latency, Step
from ...model_hosting import ModelHosting, Servable, reason
from ...objects.store.store import ObjectStore
from ...resources import Document
from ..common.errors import ApiError
from ..common.etag import check_etag
from .models import masked, set_field
from .operations import Operations
from .records import (
    EMPTY,
    MODEL,
    TYPE,
    VERSION,
    Records,
    State,
    Version,
    check_name,
    listing,
    model_of,
    not_ready,
)
from .settings import DEFAULT_MACHINE, check_labels, check_scaling, check_settings, with_defaults
from .source import check_directory, source_of

logger = logging.getLogger(__name__)

_OUTPUT_ONLY = (
    "state",
    "isDefault",
    "createTime",
    "lastUseTime",
    "lastMigrationTime",
    "lastMigrationModelId",
    "errorMessage",
    "etag",
    "requestLoggingConfig",
)
_PATCHABLE = (
    "description",
    "labels",
    "requestLoggingConfig",
    "autoScaling.minNodes",
    "manualScaling.nodes",
)


@dataclass(frozen=True, slots=True)
class Versions:
    """The methods of `projects.models.versions`."""

    records: Records
    operations: Operations
    store: ObjectStore
    hosting: ModelHosting
    work: BackgroundTasks
    latency: Latency

    async def create(self, model: str, body: Document) -> Document:
        """Start creating a version and return the operation; only one create of a name succeeds."""
        self.records.model(model, "parent")
        name = f"{model}/versions/{check_name('version', body.get('name'))}"
        self._refuse_taken(name)
        check_settings(body)
        source, version = source_of(body), with_defaults(body)
        await asyncio.to_thread(check_directory, self.store, source, version)
        operation = self._record(name, version)
        self.work.start(name, self._bring_up(name, operation["name"]))
        return operation

    def _refuse_taken(self, name: str) -> None:
        if self.records.resources.get(VERSION, name) is not None:
            raise ApiError.of_field(
                Code.ALREADY_EXISTS, "version.name", "A version with the same name already exists."
            )

    def _record(self, name: str, body: Document) -> Document:
        """Store the version and its operation."""
        # The directory was checked in a thread; another request may have taken the name.
        model = self.records.model(model_of(name), "parent")
        self._refuse_taken(name)
        document = {key: value for key, value in body.items() if key not in _OUTPUT_ONLY}
        document |= {"name": name, "createTime": self.records.now(), "state": State.CREATING}
        version = Version(document=document)
        with self.records.resources.transaction():
            self.records.put_version(version)
            return self.operations.begin("CREATE_VERSION", model["name"], version)

    async def _bring_up(self, name: str, operation: str) -> None:
        await self.latency.pass_by(Step.CREATE_VERSION)
        failure = await self._load(name)
        with self.records.resources.transaction():
            if failure is None:
                version = self._settle(name, {"state": State.READY})
                self._default_if_first(name)
                answer = {"@type": f"{TYPE}Version"} | self.records.shown_version(version)
                self.operations.succeed(operation, answer)
            else:
                text = f'Create Version failed. Bad model detected with error: "{failure}"'
                self._settle(name, {"state": State.FAILED, "errorMessage": text})
                self.operations.fail(operation, Code.INVALID_ARGUMENT, text)

    def _default_if_first(self, name: str) -> None:
        """Make a model's first ready version its default."""
        model = self.records.model(model_of(name))
        if self.records.default(model) is None:
            changed = model | {"defaultVersion": {"name": name}}
            self.records.resources.put(MODEL, model["name"], changed)

    async def _load(self, name: str) -> str | None:
        """Load a version's model; return why it failed, or None."""
        version = self.records.version(name)
        source = source_of(version.document)
        image = ServingImage(version.document["runtimeVersion"])

        def stage(folder: Path) -> list[Servable]:
            self.store.checkout(source.bucket, source.key, folder / "model")
            return [Servable(name, 1, folder / "model", image)]

        try:
            await self.hosting.load(name, stage)
        except Exception as error:  # noqa: BLE001 - any failure makes the version FAILED
            logger.warning("%s failed to load: %s", name, error)
            return reason(error)
        return None

    def _settle(self, name: str, changes: Mapping[str, Any]) -> Version:
        version = self.records.version(name).with_changes(changes)
        self.records.put_version(version)
        return version

    def restore(self) -> None:
        """Resume after an earlier process: load READY versions, finish interrupted operations."""
        for version in self.records.versions():
            name = version.name
            match version.state:
                case State.READY:
                    self.work.start(name, self._reload(name))
                case State.CREATING:
                    self.work.start(name, self._bring_up(name, self.operations.of_version(name)))
                case State.DELETING:
                    self.work.start(name, self._take_down(name, self.operations.of_version(name)))
                case State.FAILED:
                    pass

    async def _reload(self, name: str) -> None:
        failure = await self._load(name)
        # It may be in deletion by now, whose operation then decides its state.
        if failure is not None and self.records.version(name).state is State.READY:
            self._settle(name, {"state": State.FAILED, "errorMessage": failure})

    def get(self, name: str) -> Document:
        """Return a version."""
        return self.records.shown_version(self.records.version(name))

    def list(self, model: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a model's versions."""
        self.records.model(model, "parent")
        versions = self.records.versions(model)
        items = [(v.name, self.records.shown_version(v)) for v in versions]
        return listing("versions", items, query)

    def set_default(self, name: str) -> Document:
        """Make a version its model's default."""
        version = self.records.ready_version(name)
        model = self.records.model(model_of(name))
        changed = model | {"defaultVersion": {"name": name}}
        self.records.resources.put(MODEL, model["name"], changed)
        return self.records.shown_version(version)

    def patch(self, name: str, body: Document, mask: str | None) -> Document:
        """Change a version's description, labels, logging, or number of nodes."""
        version = self.records.version(name)
        check_etag(version.stored(), body.get("etag"))
        document = dict(version.document)
        for path in masked(mask):
            set_field(document, path, body, _PATCHABLE)
        check_labels("version", document)
        check_scaling(document, document.get("machineType", DEFAULT_MACHINE))
        changed = version.having(document)
        with self.records.resources.transaction():
            self.records.put_version(changed)
            operation = self.operations.begin("UPDATE_VERSION", model_of(name), changed)
            answer = {"@type": f"{TYPE}Version"} | self.records.shown_version(changed)
            return self.operations.succeed(operation["name"], answer)

    def delete(self, name: str) -> Document:
        """Start deleting a version and return the operation."""
        version = self.records.version(name)
        if version.state in {State.CREATING, State.DELETING}:
            raise ApiError.of_field(
                Code.FAILED_PRECONDITION, "name", "Another operation on this version is under way."
            )
        model = self.records.model(model_of(name))
        others = len(self.records.versions(model["name"])) > 1
        if others and self.records.default(model) == name:
            raise ApiError.of_field(
                Code.FAILED_PRECONDITION,
                "name",
                "The default version cannot be deleted unless it is the only version of the model.",
            )
        with self.records.resources.transaction():
            operation = self.operations.begin("DELETE_VERSION", model["name"], version)
            self.records.put_version(version.with_changes({"state": State.DELETING}))
        self.work.start(name, self._take_down(name, operation["name"]))
        return operation

    async def _take_down(self, name: str, operation: str) -> None:
        await self.hosting.unload(name)
        model = self.records.model(model_of(name))
        with self.records.resources.transaction():
            if self.records.default(model) == name:
                del model["defaultVersion"]
                self.records.resources.put(MODEL, model["name"], model)
            self.records.resources.delete(VERSION, name)
            self.operations.succeed(operation, EMPTY)

    async def serving(self, name: str) -> str:
        """Return the full name of the version that serves a model or version, once it is loaded.

        Raises ApiError if there is none, or if it does not serve.
        """
        version = self._answering(name)
        if version.state is State.READY:
            # After a restart a READY version may still be loading, or fail to load.
            await self.work.settled(version.name)
            version = self._answering(name)
        if version.state is not State.READY:
            raise not_ready(version)
        if not self.hosting.loaded(version.name):
            raise ApiError(Code.UNAVAILABLE, "The version is not loaded yet; try again.")
        return version.name

    def _answering(self, name: str) -> Version:
        if "/versions/" in name:
            return self.records.version(name)
        default = self.records.default(self.records.model(name))
        if default is None:
            raise ApiError.of_field(
                Code.FAILED_PRECONDITION, "name", "The model has no default version."
            )
        return self.records.version(default)
