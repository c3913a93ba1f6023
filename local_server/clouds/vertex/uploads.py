"""New versions of models: uploaded from a bucket, or copied from another model.

Both copy the files, so later changes of the source do not matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from ...status import Code
from ..google.common.discovery import snake
from ..google.common.errors import ApiError
from ..latency import Step
from ..resources import Document
from .artifacts import Artifacts, check_bucket_location, source_of
from .containers import check_container, check_prebuilt
from .explanation.rules import check_signature, check_spec
from .exports import EXPORT_FORMATS
from .images import check_image, is_prebuilt, is_tensorflow_2
from .operations import Operations, Outcome, Runner, Task
from .records import DEFAULT_ALIAS, MODEL, TYPE, Records, Version, invalid, new_id
from .validation import (
    check_aliases,
    check_display_name,
    check_encryption,
    check_labels,
    check_model_id,
    check_service_account,
    check_uris,
)

_SUPPORTED = {
    "supportedInputStorageFormats": ["jsonl", "csv", "tf-record", "tf-record-gzip", "file-list"],
    "supportedOutputStorageFormats": ["jsonl"],
}
_OF_A_VERSION = (
    "versionId",
    "versionCreateTime",
    "versionUpdateTime",
    "versionAliases",
    "etag",
    "encryptionSpec",
)
"""Fields that a copy does not keep; a key is of one region."""
_NOT_OFFLINE = ("baseModelSource", "defaultCheckpointId", "dataStats", "pipelineJob")
"""Fields of models that are not a user's own, or of services that are not offline."""
_SCHEMATA = ("instanceSchemaUri", "parametersSchemaUri", "predictionSchemaUri")


class _Upload(Task, frozen=True, tag="upload"):
    """A new version; `artifact` is the key of the copy of its files."""

    name: str
    is_version: bool
    artifact: str
    model: Document


class _Copy(_Upload, frozen=True, tag="copy"):
    """A new version of the files of another one."""

    source: str | None = msgspec.field(name="from")


class Uploads:
    """The methods `models.upload` and `models.copy`."""

    def __init__(self, records: Records, operations: Operations, artifacts: Artifacts) -> None:
        self._records = records
        self._operations = operations
        self._artifacts = artifacts
        step = Step.UPLOAD_MODEL
        operations.register(
            Runner(_Upload, "UploadModelOperationMetadata", step, self._upload),
            Runner(_Copy, "CopyModelOperationMetadata", step, self._copy),
        )

    def upload(self, parent: str, body: Document) -> Document:
        """Start uploading a model, or a version of the parent model, and return the operation."""
        model = body.get("model", {})
        _check(model)
        check_service_account(body.get("serviceAccount", ""), "service_account")
        check_encryption(model, parent)
        if "artifactUri" in model:
            location = parent.rpartition("/")[2]
            check_bucket_location(self._artifacts.store, model["artifactUri"], location)
        return self._begin(_Upload(*self._target(parent, body), model))

    def copy(self, parent: str, body: Document) -> Document:
        """Start copying a model's version into this location and return the operation."""
        source: str = body.get("sourceModel", "")
        if not source:
            raise invalid("The field `source_model` is required.")
        project = parent.partition("/locations/")[0]
        if not source.startswith(f"{project}/"):
            raise invalid(f"The source model `{source}` is not in `{project}`.")
        check_service_account(body.get("customServiceAccount", ""), "custom_service_account")
        check_encryption(body, parent)
        version = self._records.version(source)
        model = {k: v for k, v in version.document.items() if k not in _OF_A_VERSION}
        model["modelSourceInfo"] = {**model.get("modelSourceInfo", {}), "copy": True}
        model["originalModelInfo"] = {"model": version.name}
        if "encryptionSpec" in body:
            model["encryptionSpec"] = body["encryptionSpec"]
        return self._begin(_Copy(*self._target(parent, body), model, version.artifact))

    def _begin(self, task: _Upload) -> Document:
        return self._operations.begin(task.name, task, task.name)

    def _target(self, parent: str, body: Document) -> tuple[str, bool, str]:
        """Return the model's name, whether it gets a further version, and a key for its files."""
        existing = self._parent_model(parent, body)
        return existing or self._new_name(parent, body), existing is not None, new_id()

    def _parent_model(self, parent: str, body: Document) -> str | None:
        name: str = body.get("parentModel", "").partition("@")[0]
        if not name:
            return None
        if body.get("modelId"):
            raise invalid("Only one of `model_id` and `parent_model` may be set.")
        if not name.startswith(f"{parent}/models/"):
            raise invalid(f"The parent model `{name}` is not in `{parent}`.")
        self._records.model(name)
        return name

    def _new_name(self, parent: str, body: Document) -> str:
        model_id = body.get("modelId", "")
        if model_id:
            check_model_id(model_id)
        name = f"{parent}/models/{model_id or new_id()}"
        self._refuse_taken(name)
        return name

    def _refuse_taken(self, name: str) -> None:
        if self._records.resources.get(MODEL, name) is not None:
            raise ApiError(Code.ALREADY_EXISTS, f"Model `{name}` already exists.")

    async def _upload(self, task: _Upload) -> Outcome:
        has_files = await self._artifacts.copy(task.artifact, task.model)
        if has_files:
            await self._check_explained(task)
        return self._outcome("UploadModelResponse", task, has_files=has_files)

    async def _check_explained(self, task: _Upload) -> None:
        """Refuse a spec of explanations that does not fit the files (ApiError)."""
        spec = task.model.get("explanationSpec")
        if not spec or not is_prebuilt(task.model["containerSpec"]["imageUri"]):
            return
        path = self._artifacts.path(task.artifact)
        try:
            await asyncio.to_thread(check_signature, spec, path)
        except ApiError:
            await self._artifacts.remove(task.artifact)
            raise

    async def _copy(self, task: _Copy) -> Outcome:
        has_files = await self._artifacts.duplicate(task.source, task.artifact)
        return self._outcome("CopyModelResponse", task, has_files=has_files)

    def _outcome(self, response: str, task: _Upload, *, has_files: bool) -> Outcome:
        key = task.artifact

        def finish() -> Document:
            return {"@type": f"{TYPE}{response}"} | self._add(task, key if has_files else None)

        async def undo() -> None:
            await self._artifacts.remove(key)

        return Outcome(finish, undo)

    def _add(self, task: _Upload, artifact: str | None) -> Document:
        """Write the new version, with the next number that the model never had."""
        name, now = task.name, self._records.now()
        if task.is_version:
            counter = self._records.model(name)
        else:
            self._refuse_taken(name)
            counter = {"name": name, "last": 0, "createTime": now}
        number = counter["last"] + 1
        self._records.resources.put(MODEL, name, counter | {"last": number})
        document: Document = {
            **{key: value for key, value in task.model.items() if key != "etag"},
            **_SUPPORTED,
            "supportedDeploymentResourcesTypes": _resources(task.model),
            **({"supportedExportFormats": EXPORT_FORMATS} if artifact else {}),
            "name": name,
            "versionId": str(number),
            "createTime": counter["createTime"],
            "updateTime": now,
            "versionCreateTime": now,
            "versionUpdateTime": now,
        }
        aliases = [*document.pop("versionAliases", ())]
        if not self._records.versions(name):
            aliases.append(DEFAULT_ALIAS)
        version = Version(document=document, artifact=artifact)
        self._records.put_version(version)
        self._records.move_aliases(version, aliases, ())
        return {"model": name, "modelVersionId": version.number}


def _resources(model: Mapping[str, Any]) -> list[str]:
    """Return which resources a model can be deployed with.

    Source: Vertex AI, "Share resources across deployments": prebuilt images of TensorFlow.
    """
    can_share = is_tensorflow_2(model["containerSpec"]["imageUri"])
    return ["DEDICATED_RESOURCES", *(["SHARED_RESOURCES"] if can_share else [])]


def _check(model: Mapping[str, Any]) -> None:
    check_display_name(model, "model")
    check_labels(model)
    check_aliases(model.get("versionAliases", ()))
    for field in _NOT_OFFLINE:
        if model.get(field):
            raise ApiError(Code.UNIMPLEMENTED, f"model.{snake(field)} is not available offline.")
    if "artifactUri" in model:
        source_of(model["artifactUri"])
    check_uris(model, "model", ("metadataSchemaUri",))
    check_uris(model.get("predictSchemata", {}), "model.predict_schemata", _SCHEMATA)
    check_container(model.get("containerSpec", {}))
    image = model.get("containerSpec", {}).get("imageUri")
    if not image:
        raise invalid("The field `model.container_spec.image_uri` is required.")
    check_image(image)
    check_prebuilt(model["containerSpec"])
    if "explanationSpec" in model:
        check_spec(model["explanationSpec"], image)
