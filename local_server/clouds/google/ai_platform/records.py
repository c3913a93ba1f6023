"""AI Platform's stored models, versions and operations, and their form in the API.

Stored documents are the API's own, with two exceptions that are filled in when a document is shown:
a model's `defaultVersion` stores only the name, and a version's `isDefault` is not stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ....status import Code
from ...filters import FilterError, compile_filter
from ...pages import page
from ...resources import Document, Resources
from ..common.errors import ApiError
from ..common.etag import etag

MODEL, VERSION, OPERATION = "google/model", "google/version", "google/operation"
TYPE = "type.googleapis.com/google.cloud.ml.v1."
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_FILTERED = {
    "name",
    "description",
    "labels",
    "state",
    "framework",
    "runtimeVersion",
    "isDefault",
    "createTime",
    "done",
}
_DEFAULT_PAGE, _LARGEST_PAGE = 20, 100

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Records:
    """Reads and writes AI Platform's resources by their full names."""

    def __init__(self, resources: Resources, clock: Clock = utc_now) -> None:
        self.resources = resources
        self._clock = clock

    def now(self) -> str:
        """Return the current time in the API's format."""
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def millis(self) -> int:
        """Return the current time in milliseconds since 1970."""
        return int(self._clock().timestamp() * 1000)

    def model(self, name: str, field: str = "name") -> Document:
        """Return a stored model; raises ApiError NOT_FOUND with the API's text."""
        model = self.resources.get(MODEL, name)
        if model is not None:
            return model
        short = name.rpartition("/")[2]
        raise ApiError.of_field(
            Code.NOT_FOUND,
            field,
            f'The model resource: "{short}" was not found. Please create the model resource first'
            f" by using 'gcloud ai-platform models create {short}'.",
        )

    def version(self, name: str) -> Document:
        """Return a stored version; raises ApiError NOT_FOUND for the version or its model."""
        version = self.resources.get(VERSION, name)
        if version is not None:
            return version
        self.model(model_of(name))
        raise ApiError.of_field(
            Code.NOT_FOUND, "name", "The specified model version was not found."
        )

    def ready_version(self, name: str) -> Document:
        """Return a stored version that serves; raises ApiError if it is not ready."""
        version = self.version(name)
        if version["state"] != "READY":
            raise not_ready(version)
        return version

    def versions(self, model: str) -> list[tuple[str, Document]]:
        """Return a model's stored versions by name."""
        return self.resources.list(VERSION, f"{model}/versions/")

    def default(self, model: Mapping[str, Any]) -> str | None:
        """Return the full name of a stored model's default version."""
        default: str | None = model.get("defaultVersion", {}).get("name")
        return default

    def shown_model(self, model: Document) -> Document:
        """Return a model as the API shows it, with its complete default version."""
        shown = model | {"etag": etag(model)}
        default = self.default(model)
        if default is not None:
            shown["defaultVersion"] = self.shown_version(self.version(default))
        return shown

    def shown_version(self, version: Document) -> Document:
        """Return a version as the API shows it."""
        shown = {key: value for key, value in version.items() if not key.startswith("_")}
        model = self.resources.get(MODEL, model_of(version["name"])) or {}
        if self.default(model) == version["name"]:
            shown["isDefault"] = True
        return shown | {"etag": etag(version)}


def not_ready(version: Mapping[str, Any]) -> ApiError:
    """Return the error for a version that does not serve, with the reason."""
    why = version.get("errorMessage") or f"its state is {version['state']}"
    return ApiError.of_field(
        Code.FAILED_PRECONDITION,
        "name",
        f"Online prediction is unavailable for this version: {why}",
    )


def model_of(version: str) -> str:
    """Return the full name of a version's model."""
    return version.partition("/versions/")[0]


def check_name(kind: str, name: object) -> str:
    """Return a new resource's short name; raises ApiError for an invalid one."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    rule = "a letter followed by up to 127 letters, numbers or underscores"
    problem = f"is required: {rule}." if not name else f"must be {rule}."
    raise ApiError.of_field(Code.INVALID_ARGUMENT, f"{kind}.name", f"The name {problem}")


def _searched(document: Document) -> Document:
    """Return a document with its short name, by which users filter."""
    return {**document, "name": str(document.get("name", "")).rpartition("/")[2]}


def listing(
    key: str, items: list[tuple[str, Document]], query: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one page in the API's form: `{}` if it is empty."""
    try:
        passes = compile_filter(query.get("filter", ""), _FILTERED)
    except FilterError as error:
        raise ApiError.of_field(Code.INVALID_ARGUMENT, "filter", f"{error}.") from error
    matching = [(name, document) for name, document in items if passes(_searched(document))]
    size = query.get("pageSize", 0)
    if size < 0:
        raise ApiError.of_field(Code.INVALID_ARGUMENT, "page_size", "Must not be negative.")
    size = min(size or _DEFAULT_PAGE, _LARGEST_PAGE)
    try:
        chosen, token = page(matching, size, query.get("pageToken"))
    except ValueError as error:
        raise ApiError.of_field(
            Code.INVALID_ARGUMENT, "page_token", "Invalid page token."
        ) from error
    answer: dict[str, Any] = {key: chosen} if chosen else {}
    return answer | ({"nextPageToken": token} if token else {})
