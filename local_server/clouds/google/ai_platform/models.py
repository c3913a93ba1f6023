"""AI Platform's models: groups of versions, one of which is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...resources import Document
from ..common.discovery import snake
from ..common.errors import ApiError
from ..common.etag import check_etag
from .operations import Operations
from .records import EMPTY, MODEL, TYPE, Records, check_name, listing
from .settings import check_labels

_SETTABLE = (
    "description",
    "regions",
    "labels",
    "onlinePredictionLogging",
    "onlinePredictionConsoleLogging",
)
_PATCHABLE = ("description", "labels")


class Models:
    """The methods of `projects.models`."""

    def __init__(self, records: Records, operations: Operations) -> None:
        self._records = records
        self._operations = operations

    def create(self, project: str, body: Document) -> Document:
        """Create a model; raises ApiError ALREADY_EXISTS if the name is in use."""
        short = check_name("model", body.get("name"))
        if len(body.get("regions", ())) > 1:
            raise ApiError.of_field(
                Code.INVALID_ARGUMENT, "model.regions", "Only one region per model is supported."
            )
        check_labels("model", body)
        name = f"{project}/models/{short}"
        model = {"name": name, "regions": ["us-central1"]}
        model |= {key: body[key] for key in _SETTABLE if body.get(key)}
        if not self._records.resources.create(MODEL, name, model):
            raise ApiError.of_field(
                Code.ALREADY_EXISTS, "model.name", "A model with the same name already exists."
            )
        return self._records.shown_model(model)

    def get(self, name: str) -> Document:
        """Return a model with its default version."""
        return self._records.shown_model(self._records.model(name))

    def list(self, project: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a project's models."""
        stored = self._records.resources.list(MODEL, f"{project}/models/")
        return listing("models", [(n, self._records.shown_model(m)) for n, m in stored], query)

    def patch(self, name: str, body: Document, mask: str | None) -> Document:
        """Change the fields in the mask: description, labels, or default_version.name."""
        model = self._records.model(name)
        check_etag(model, body.get("etag"))
        changed = dict(model)
        for path in masked(mask):
            if path == "default_version.name":
                changed["defaultVersion"] = {"name": self._new_default(name, body)}
            else:
                set_field(changed, path, body, _PATCHABLE)
        check_labels("model", changed)
        with self._records.resources.transaction():
            self._records.resources.put(MODEL, name, changed)
            operation = self._operations.begin("UPDATE_MODEL", name)
            answer = {"@type": f"{TYPE}Model"} | self._records.shown_model(changed)
            return self._operations.succeed(operation["name"], answer)

    def _new_default(self, model: str, body: Document) -> str:
        version = str(body.get("defaultVersion", {}).get("name", ""))
        full = f"{model}/versions/{version.rpartition('/')[2]}"
        self._records.ready_version(full)
        return full

    def delete(self, name: str) -> Document:
        """Delete a model; raises ApiError FAILED_PRECONDITION if it has versions."""
        self._records.model(name)
        if self._records.versions(name):
            raise ApiError.of_field(
                Code.FAILED_PRECONDITION, "name", "Cannot delete a model that has versions."
            )
        with self._records.resources.transaction():
            self._records.resources.delete(MODEL, name)
            operation = self._operations.begin("DELETE_MODEL", name)
            return self._operations.succeed(operation["name"], EMPTY)


def masked(mask: str | None) -> list[str]:
    """Return the paths of an update mask in snake_case; raises ApiError if it is empty."""
    paths = [snake(path.strip()) for path in (mask or "").split(",") if path.strip()]
    if not paths:
        raise ApiError.of_field(
            Code.INVALID_ARGUMENT, "update_mask", "The update mask must name a field."
        )
    return paths


def set_field(
    document: Document, path: str, body: Mapping[str, Any], allowed: tuple[str, ...]
) -> None:
    """Copy one masked field from a body; a field that the body lacks is cleared."""
    name = next((name for name in allowed if snake(name) == path), None)
    if name is None:
        raise ApiError.of_field(
            Code.INVALID_ARGUMENT, "update_mask", f"The field '{path}' cannot be updated."
        )
    outer, _, inner = name.partition(".")
    if inner:
        # The rest of the outer message stays; a missing one is created.
        below = dict(document.get(outer, {}))
        set_field(below, snake(inner), body.get(outer, {}), (inner,))
        document[outer] = below
    elif name in body:
        document[name] = body[name]
    else:
        document.pop(name, None)
