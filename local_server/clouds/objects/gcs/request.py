"""A parsed GCS request: query, preconditions, and the JSON of an object's properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from ....transport.types import Head, Response
from ...bodies import read_json
from ...hosts import host_name
from ..http_util import header_value, number
from ..store.checksums import from_base64
from ..store.errors import NoSuchKeyError, PreconditionFailedError
from ..store.store import ObjectStore
from ..store.types import OCTETS, ObjectInfo, ObjectProperties, Precondition
from .errors import JSON, GcsError, invalid
from .fields import check_class, check_object

MAX_NAME_BYTES = 1024
_ACME = ".well-known/acme-challenge/"
_MAX_METADATA = 8 << 10
"""Bytes of an object's custom metadata, names and values (Cloud Storage, "Quotas and limits")."""
STORAGE_CLASS = "STANDARD"

HEADERS: Mapping[str, str] = {
    "cacheControl": "cache-control",
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "contentLanguage": "content-language",
}
"""Header names by the resource fields that set them."""

HOLDS = ("eventBasedHold", "temporaryHold")
HASHES: Mapping[str, str] = {"crc32c": "crc32c", "md5Hash": "md5"}


def is_of_cloud(head: Head) -> bool:
    """Return whether a request is for a host of Google's, where clients send credentials.

    They send none to STORAGE_EMULATOR_HOST.
    """
    return host_name(head.headers.get("host", "")).endswith(".googleapis.com")


@dataclass(frozen=True, slots=True)
class GcsCall:
    """A request to GCS; `names` are the decoded path segments, `content` is a small body."""

    store: ObjectStore
    project: str
    head: Head
    names: tuple[str, ...]
    query: Mapping[str, str]
    content: bytes = b""

    @property
    def base(self) -> str:
        """Return the base URL that the client used, for the links in resources."""
        scheme = "https" if is_of_cloud(self.head) else "http"
        return f"{scheme}://{self.head.headers.get('host', '127.0.0.1')}"

    @property
    def bucket(self) -> str:
        """Return the path's first bucket."""
        return self.names[0]

    @property
    def key(self) -> str:
        """Return the path's first object name."""
        return self.names[1]

    def number(self, name: str) -> int | None:
        """Return a number in the query, or None; raises GcsError."""
        text = self.query.get(name)
        if text is None:
            return None
        value = number(text)
        if value is None:
            raise invalid(f"Invalid value for {name}: {text[:100]!r}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean of the query; Python's client writes `True`. Raises GcsError."""
        text = self.query.get(name, "false").lower()
        if text not in {"true", "false", "1", "0"}:
            raise invalid(f"Invalid value for {name}: {text[:100]!r}")
        return text in {"true", "1"}

    def condition(self, prefix: str = "if") -> Precondition:
        """Return the preconditions in the query; those of a copy's source begin with `ifSource`."""
        return Precondition(
            generation=self.number(f"{prefix}GenerationMatch"),
            generation_not=self.number(f"{prefix}GenerationNotMatch"),
            metageneration=self.number(f"{prefix}MetagenerationMatch"),
            metageneration_not=self.number(f"{prefix}MetagenerationNotMatch"),
        )

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, {} if it is empty; raises GcsError."""
        return parse_json(self.content)


def parse_json(content: bytes) -> dict[str, Any]:
    """Parse a JSON object, {} if it is empty; raises GcsError."""
    if not content.strip():
        return {}
    try:
        value = read_json(content)
    except ValueError as error:
        raise GcsError(400, "parseError", f"Parse Error: {error}") from error
    if not isinstance(value, dict):
        raise GcsError(400, "parseError", "Parse Error: the body is not a JSON object")
    return value


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Return an object inside a body, {} for null; raises GcsError."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid(f"Invalid value for {name}: it is not an object")
    return value


def answer(resource: Mapping[str, Any], status: int = 200) -> Response:
    """Return a resource as a JSON response."""
    return Response(status, msgspec.json.encode(resource), JSON)


def check_name(name: str | None) -> str:
    """Return a valid object name (Cloud Storage, "Object names"); raises GcsError."""
    if not name:
        raise GcsError(400, "required", "Required parameter: name")
    bad = name in {".", ".."} or "\r" in name or "\n" in name or name.startswith(_ACME)
    if bad or len(name.encode()) > MAX_NAME_BYTES:
        raise invalid(f"Disallowed object name: {name[:100]!r}")
    return name


def properties_from(
    resource: Mapping[str, Any], content_type: str = "", storage_class: str = STORAGE_CLASS
) -> ObjectProperties:
    """Return the properties in a resource; the other arguments are its defaults."""
    requested = resource.get("storageClass")
    chosen = storage_class if requested is None else check_class(requested)
    properties = ObjectProperties(
        _checked(content_type, "contentType") or OCTETS, storage_class=chosen
    )
    return revise(properties, {**resource, "storageClass": chosen})


def default_class(call: GcsCall, bucket: str) -> str:
    """Return the storage class of a bucket's new objects; raises NoSuchBucketError."""
    return str(call.store.get_bucket(bucket).settings.get("storageClass", STORAGE_CLASS))


def revise(properties: ObjectProperties, changes: Mapping[str, Any]) -> ObjectProperties:
    """Merge a patch into properties (JSON merge patch: null removes); raises GcsError."""
    check_object(changes)
    if changes.get("storageClass", properties.storage_class) != properties.storage_class:
        raise invalid("storageClass is changed by rewriting the object")
    headers = dict(properties.headers)
    for name, header in HEADERS.items():
        if name in changes:
            _merge(headers, {header: _checked(changes[name], name)}, name)
    metadata = dict(properties.metadata) if changes.get("metadata", "") is not None else {}
    _merge(metadata, changes.get("metadata") or {}, "metadata")
    check_metadata(metadata)
    content_type = _checked(changes.get("contentType", properties.content_type), "contentType")
    return replace(
        properties,
        content_type=content_type or OCTETS,
        metadata=metadata,
        headers=headers,
        holds=_holds(properties.holds, changes),
        custom_time=_custom_time(
            changes.get("customTime", properties.custom_time), properties.custom_time
        ),
    )


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse custom metadata above the limit; raises GcsError."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > _MAX_METADATA:
        raise invalid(f"The custom metadata is larger than {_MAX_METADATA} bytes: {size}")


def _holds(holds: tuple[str, ...], changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the holds after a patch; raises GcsError."""
    for name in HOLDS:
        value = changes.get(name, name in holds)
        if value is not None and not isinstance(value, bool):
            raise invalid(f"Invalid value for {name}")
    return tuple(name for name in HOLDS if changes.get(name, name in holds))


def _custom_time(value: Any, previous: str) -> str:
    """Return a custom time, which cannot be removed or moved back once set; raises GcsError."""
    if not previous and (value is None or value == ""):
        return ""
    try:
        moment = datetime.fromisoformat(value)
        earlier = bool(previous) and moment < datetime.fromisoformat(previous)
    except (TypeError, ValueError) as error:
        raise invalid("Invalid value for customTime") from error
    if earlier:
        raise invalid("Invalid value for customTime: it cannot be earlier than the previous one")
    return str(value)


def _checked(value: Any, name: str) -> str | None:
    """Check a value that is stored as a header; None is valid. Raises GcsError."""
    if value is None:
        return None
    try:
        header_value(value)
    except (TypeError, ValueError) as error:
        raise invalid(f"Invalid value for {name}") from error
    return str(value)


def _merge(into: dict[str, str], changes: Any, name: str) -> None:
    if not isinstance(changes, Mapping):
        raise invalid(f"Invalid value for {name}")
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, str):
            into[key] = value
        else:
            raise invalid(f"Invalid value for {name}: {value!r} is not a string")


def expected_digests(resource: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, bytes]:
    """Return the digests that a resource or X-Goog-Hash announces; raises GcsError."""
    announced = {HASHES[name]: resource[name] for name in HASHES if resource.get(name)}
    announced |= hash_header(headers.get("x-goog-hash", ""))
    try:
        return {name: from_base64(str(text), name) for name, text in announced.items()}
    except ValueError as error:
        raise invalid(f"Invalid hash: {error}") from error


def hash_header(text: str) -> dict[str, str]:
    """Parse an X-Goog-Hash header: `crc32c=…,md5=…`."""
    pairs = (each.strip().partition("=") for each in text.split(","))
    return {name: value for name, _, value in pairs if name in {"crc32c", "md5"}}


def live(call: GcsCall, bucket: str, key: str, generation: int | None = None) -> ObjectInfo:
    """Return an object, or its version of this generation; raises NoSuchKeyError."""
    if generation is None:
        return call.store.get(bucket, key)
    info = call.store.versions.find(bucket, key, generation)
    if info is None:
        raise NoSuchKeyError(bucket, key)
    return info


def check_write(info: ObjectInfo | None, call: GcsCall, name: tuple[str, str]) -> None:
    """Refuse a write whose preconditions do not hold, before its body is read."""
    failing = call.condition().failing(info)
    if failing:
        raise PreconditionFailedError(*name, failing)
