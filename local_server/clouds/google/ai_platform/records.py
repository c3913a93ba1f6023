"""AI Platform's stored models, versions and operations, and their form in the API.

Stored documents are the API's own, but a model's `defaultVersion` stores only the name; the rest is
filled in when the model is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ....status import Code
from ...filters import ANY, FilterError, compile_filter
from ...pages import page
from ...resources import Document, Record, Resources
from ..common.errors import ApiError
from ..common.etag import etag

MODEL, VERSION, OPERATION = "google/model", "google/version", "google/operation"
TYPE = "type.googleapis.com/google.cloud.ml.v1."
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_FILTERED = dict.fromkeys(
    (
        "name",
        "description",
        "labels",
        "state",
        "framework",
        "runtimeVersion",
        "isDefault",
        "createTime",
        "done",
    ),
    ANY,
)
_DEFAULT_PAGE, _LARGEST_PAGE = 20, 100

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class State(StrEnum):
    """The states of a version here (ml v1, Version.state)."""

    CREATING = "CREATING"
    READY = "READY"
    DELETING = "DELETING"
    FAILED = "FAILED"


class Version(Record, frozen=True):
    """A model version; `isDefault` and `etag` are filled in when it is shown."""

    @property
    def name(self) -> str:
        """Return its full name."""
        return str(self.document["name"])

    @property
    def model(self) -> str:
        """Return its model's full name."""
        return model_of(self.name)

    @property
    def state(self) -> State:
        """Return its state."""
        return State(self.document["state"])

    def with_changes(self, changes: Mapping[str, Any]) -> Version:
        """Return the version with changed fields."""
        return self.having(self.document | dict(changes))


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

    def version(self, name: str) -> Version:
        """Return a version; raises ApiError NOT_FOUND for the version or its model."""
        stored = self.resources.get(VERSION, name)
        if stored is not None:
            return Version.read(stored)
        self.model(model_of(name))
        raise ApiError.of_field(
            Code.NOT_FOUND, "name", "The specified model version was not found."
        )

    def ready_version(self, name: str) -> Version:
        """Return a version that serves; raises ApiError if it is not ready."""
        version = self.version(name)
        if version.state is not State.READY:
            raise not_ready(version)
        return version

    def versions(self, model: str = "") -> list[Version]:
        """Return the versions of a model, or of all models, by name."""
        prefix = f"{model}/versions/" if model else ""
        return [Version.read(stored) for _, stored in self.resources.list(VERSION, prefix)]

    def put_version(self, version: Version) -> None:
        """Write a version."""
        self.resources.put(VERSION, version.name, version.stored())

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

    def shown_version(self, version: Version) -> Document:
        """Return a version as the API shows it."""
        model = self.resources.get(MODEL, version.model) or {}
        default = {"isDefault": True} if self.default(model) == version.name else {}
        return version.document | default | {"etag": etag(version.stored())}


def not_ready(version: Version) -> ApiError:
    """Return the error for a version that does not serve, with the reason."""
    why = version.document.get("errorMessage") or f"its state is {version.state}"
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
