"""AI Platform's long-running operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ....status import Code
from ...resources import Document
from ..common.errors import ApiError
from .records import OPERATION, TYPE, Records, Version, listing

_VERBS = {
    "CREATE_VERSION": "create",
    "DELETE_VERSION": "delete",
    "UPDATE_VERSION": "update",
    "DELETE_MODEL": "delete",
    "UPDATE_MODEL": "update",
}


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operation, stored as the API shows it."""

    name: str
    metadata: Document
    done: bool = False
    response: Document | None = None
    error: Document | None = None

    @property
    def version(self) -> str | None:
        """Return the full name of the version that it changes; None for a model's operation."""
        name: str | None = self.metadata.get("version", {}).get("name")
        return name

    def shown(self) -> Document:
        """Return the operation as the API shows it."""
        document: Document = msgspec.to_builtins(self)
        return document


class Operations:
    """The operations of all projects."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def begin(self, kind: str, model: str, version: Version | None = None) -> Document:
        """Record a new, unfinished operation; `model` is a full name."""
        now = self._records.now()
        metadata: dict[str, Any] = {
            "@type": f"{TYPE}OperationMetadata",
            "createTime": now,
            "startTime": now,
            "operationType": kind,
            "modelName": model,
        }
        if version is not None:
            metadata["version"] = self._records.shown_version(version)
            if "labels" in version.document:
                metadata["labels"] = version.document["labels"]
        stem, number = _stem(kind, model, version), self._records.millis()
        while True:
            operation = Operation(f"{stem}-{number}", metadata)
            if self._records.resources.create(OPERATION, operation.name, operation.shown()):
                return operation.shown()
            number += 1

    def succeed(self, name: str, response: Mapping[str, Any]) -> Document:
        """Finish an operation with its response, which has an "@type"."""
        return self._end(name, response=response)

    def fail(self, name: str, code: Code, message: str) -> Document:
        """Finish an operation with a google.rpc.Status."""
        return self._end(name, error={"code": int(code), "message": message})

    def _end(self, name: str, **outcome: Mapping[str, Any]) -> Document:
        operation = msgspec.structs.replace(self._stored(name), done=True, **outcome)
        operation.metadata["endTime"] = self._records.now()
        self._records.resources.put(OPERATION, name, operation.shown())
        return operation.shown()

    def get(self, name: str) -> Document:
        """Return an operation; raises ApiError NOT_FOUND."""
        return self._stored(name).shown()

    def _stored(self, name: str) -> Operation:
        operation = self._records.resources.get(OPERATION, name)
        if operation is None:
            raise ApiError.of_field(
                Code.NOT_FOUND, "name", "The specified operation was not found."
            )
        return msgspec.convert(operation, Operation)

    def of_version(self, version: str) -> str:
        """Return the name of the unfinished operation of a version, by full name."""
        stored = self._records.resources.list(OPERATION)
        operations = (msgspec.convert(document, Operation) for _, document in stored)
        return next(o.name for o in operations if not o.done and o.version == version)

    def list(self, project: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a project's operations."""
        items = self._records.resources.list(OPERATION, f"{project}/operations/")
        return listing("operations", items, query)

    def cancel(self, name: str) -> dict[str, Any]:
        """Refuse to cancel a running operation: a load cannot be interrupted."""
        if self._stored(name).done:
            return {}
        raise ApiError(
            Code.UNIMPLEMENTED, "Cancelling a running operation is not available offline."
        )


def _stem(kind: str, model: str, version: Version | None) -> str:
    project, _, short = model.partition("/models/")
    names = [short] if version is None else [short, version.name.rpartition("/")[2]]
    return f"{project}/operations/{_VERBS[kind]}_{'_'.join(names)}"
