"""AI Platform's long-running operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...resources import Document
from ..common.errors import ApiError
from .records import OPERATION, TYPE, Records, listing

_VERBS = {
    "CREATE_VERSION": "create",
    "DELETE_VERSION": "delete",
    "UPDATE_VERSION": "update",
    "DELETE_MODEL": "delete",
    "UPDATE_MODEL": "update",
}


class Operations:
    """The operations of all projects."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def begin(self, kind: str, model: str, version: Document | None = None) -> Document:
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
        if version is not None and "labels" in version:
            metadata["labels"] = version["labels"]
        operation: Document = {"metadata": metadata}
        stem, number = _stem(kind, model, version), self._records.millis()
        while not self._create(f"{stem}-{number}", operation):
            number += 1
        return operation

    def _create(self, name: str, operation: Document) -> bool:
        operation["name"] = name
        return self._records.resources.create(OPERATION, name, operation)

    def succeed(self, name: str, response: Mapping[str, Any]) -> Document:
        """Finish an operation with its response, which has an "@type"."""
        return self._end(name, {"response": response})

    def fail(self, name: str, code: Code, message: str) -> Document:
        """Finish an operation with a google.rpc.Status."""
        return self._end(name, {"error": {"code": int(code), "message": message}})

    def _end(self, name: str, outcome: Mapping[str, Any]) -> Document:
        operation: Document = {**self.get(name), "done": True, **outcome}
        operation["metadata"]["endTime"] = self._records.now()
        self._records.resources.put(OPERATION, name, operation)
        return operation

    def get(self, name: str) -> Document:
        """Return an operation; raises ApiError NOT_FOUND."""
        operation = self._records.resources.get(OPERATION, name)
        if operation is None:
            raise ApiError.of_field(
                Code.NOT_FOUND, "name", "The specified operation was not found."
            )
        return operation

    def of_version(self, version: str) -> str:
        """Return the name of the unfinished operation of a version, by full name."""
        stored = self._records.resources.list(OPERATION)
        return next(
            name
            for name, operation in stored
            if not operation.get("done")
            and operation["metadata"].get("version", {}).get("name") == version
        )

    def list(self, project: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a project's operations."""
        items = self._records.resources.list(OPERATION, f"{project}/operations/")
        return listing("operations", items, query)

    def cancel(self, name: str) -> dict[str, Any]:
        """Refuse to cancel a running operation: a load cannot be interrupted."""
        if self.get(name).get("done"):
            return {}
        raise ApiError(
            Code.UNIMPLEMENTED, "Cancelling a running operation is not available offline."
        )


def _stem(kind: str, model: str, version: Document | None) -> str:
    project, _, short = model.partition("/models/")
    names = [short] if version is None else [short, version["name"].rpartition("/")[2]]
    return f"{project}/operations/{_VERBS[kind]}_{'_'.join(names)}"
