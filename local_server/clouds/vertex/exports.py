"""models.export: a model's files, written to a bucket (ExportModelRequest.OutputConfig)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ...status import Code
from ..google.common.errors import ApiError
from ..latency import Step
from ..model_hosting import Source
from ..objects.store.errors import NoSuchBucketError
from ..objects.store.store import ObjectStore
from ..objects.store.types import ObjectProperties
from ..resources import Document
from .artifacts import Artifacts, source_of
from .operations import Operations, Outcome, Runner, Task
from .records import TYPE, Records, failed_precondition, invalid

FORMAT = "custom-trained"
EXPORT_FORMATS = [{"id": FORMAT, "exportableContents": ["ARTIFACT"]}]
"""The export format of a model with files."""
_PROPERTIES = ObjectProperties(content_type="application/octet-stream")
_CHUNK = 1 << 20


class _Export(Task, frozen=True, tag="export"):
    artifact: str
    bucket: str
    key: str


class Exports:
    """The method `models.export`."""

    def __init__(self, records: Records, operations: Operations, artifacts: Artifacts) -> None:
        self._records = records
        self._operations = operations
        self._artifacts = artifacts
        step = Step.UPLOAD_MODEL
        operations.register(Runner(_Export, "ExportModelOperationMetadata", step, self._export))

    def export(self, name: str, body: Document) -> Document:
        """Start exporting a version's files and return the operation, with the target directory."""
        version = self._records.version(name)
        config = body.get("outputConfig", {})
        export_format = config.get("exportFormatId") or FORMAT
        if version.artifact is None or export_format != FORMAT:
            raise failed_precondition(
                f"Model `{version.model}` cannot be exported in the format `{export_format}`."
            )
        if config.get("imageDestination"):
            text = "output_config.image_destination is not available offline."
            raise ApiError(Code.UNIMPLEMENTED, text)
        prefix = config.get("artifactDestination", {}).get("outputUriPrefix", "")
        field = "output_config.artifact_destination.output_uri_prefix"
        if not prefix:
            raise invalid(f"The field `{field}` is required.")
        target = source_of(prefix, field)
        key = f"{target.key}model-export-{version.display_name}-{self._records.now()[:-4]}Z/"
        task = _Export(version.artifact, target.bucket, key)
        info = {"outputInfo": {"artifactOutputUri": f"gs://{target.bucket}/{key}"}}
        return self._operations.begin(version.model, task, version.model, info)

    async def _export(self, task: _Export) -> Outcome:
        target = Source(task.bucket, task.key)
        folder = self._artifacts.path(task.artifact)
        try:
            await asyncio.to_thread(_write, self._artifacts.store, folder, target)
        except NoSuchBucketError as error:
            text = f"The output's bucket gs://{target.bucket} does not exist."
            raise ApiError(Code.NOT_FOUND, text) from error
        except FileNotFoundError as error:
            raise failed_precondition("The model's files are gone: it was deleted.") from error
        return Outcome(_response)


def _response() -> Mapping[str, Any]:
    return {"@type": f"{TYPE}ExportModelResponse"}


def _write(store: ObjectStore, folder: Path, target: Source) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with ExitStack() as stack, path.open("rb") as file:
            writer = store.writer()
            stack.callback(writer.abort)
            while chunk := file.read(_CHUNK):
                writer.write(chunk)
            key = target.key + path.relative_to(folder).as_posix()
            store.put(target.bucket, key, writer.finish(), _PROPERTIES)
