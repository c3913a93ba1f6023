"""S3's versions: their IDs, the state of versioning, listings, reads and deletions by version.

Source: Amazon S3 User Guide, "Retaining multiple versions of objects with S3 Versioning", "Working
with delete markers". Multi-factor deletion is refused by name.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace

from ....transport.types import Response
from ..http_util import iso_time
from ..store.errors import NoSuchKeyError
from ..store.types import (
    ANYTHING,
    ENABLED,
    SUSPENDED,
    BucketInfo,
    ObjectInfo,
    Precondition,
    State,
)
from ..store.versions import VersionQuery
from ..xml import MalformedError, document, element, group, parse, quoted
from .buckets import owner_of
from .errors import XML, DeletedError, S3Error, malformed, not_implemented
from .request import Encode, S3Call, encoding, number_in

NULL = "null"
"""The ID of a version that was written while its bucket had no versioning."""
GENERATION_BYTES, DIGEST_BYTES = 8, 16
MARKER = "x-amz-delete-marker"
HEADER = "x-amz-version-id"
MAX_KEYS = 1000


def version_id(info: ObjectInfo) -> str:
    """Return a version's ID: 32 characters, or `null`."""
    if not info.properties.versioned:
        return NULL
    number = info.generation.to_bytes(GENERATION_BYTES, "big")
    digest = hashlib.sha256(number).digest()[:DIGEST_BYTES]
    return base64.b64encode(digest + number, b"._").decode()


def check_version(text: str) -> str:
    """Return a well-formed version ID; raises S3Error."""
    if text == NULL:
        return text
    raw = b""
    with suppress(ValueError):
        raw = base64.b64decode(text, altchars=b"._", validate=True)
    digest, number = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
    if len(number) != GENERATION_BYTES or hashlib.sha256(number).digest()[:DIGEST_BYTES] != digest:
        message = "Invalid version id specified"
        raise S3Error(
            "InvalidArgument", message, ArgumentName="versionId", ArgumentValue=text[:100]
        )
    return text


def version_header(call: S3Call, info: ObjectInfo, bucket: str | None = None) -> dict[str, str]:
    """Return the header with a version's ID; empty if its bucket never had versioning."""
    has_versions = (
        info.properties.versioned or call.store.get_bucket(bucket or call.bucket).versioning
    )
    return {HEADER: version_id(info)} if has_versions else {}


def chosen(call: S3Call) -> ObjectInfo:
    """Return the object, in the version that the query names; raises NoSuchKeyError, S3Error."""
    return version_of(call, (call.bucket, call.key), call.query.get("versionId"))


def version_of(
    call: S3Call, name: tuple[str, str], version: str | None, *, copied: bool = False
) -> ObjectInfo:
    """Return a version of a bucket and key, by default the current one.

    Raises NoSuchKeyError and S3Error: a delete marker cannot be read, nor be copied.
    """
    if version is None:
        info = call.store.find(*name)
        return info or _deleted(call, name)
    check_version(version)
    for each in call.store.versions.all(*name):
        if version_id(each) == version:
            return _readable(each, copied=copied)
    raise S3Error(
        "NoSuchVersion", "The specified version does not exist.", Key=name[1], VersionId=version
    )


def _deleted(call: S3Call, name: tuple[str, str]) -> ObjectInfo:
    """Raise the error for a missing object, whose newest version may be a delete marker."""
    newest = next(iter(call.store.versions.all(*name)), None)
    if newest is None:
        raise NoSuchKeyError(*name)
    message = "The specified key does not exist."
    raise DeletedError("NoSuchKey", message, _marker_headers(newest), Key=name[1])


def _readable(info: ObjectInfo, *, copied: bool) -> ObjectInfo:
    if info.state is not State.MARKER:
        return info
    if copied:
        message = (
            "The source of a copy request may not specifically refer to a delete marker by version"
            " id."
        )
        raise S3Error("InvalidRequest", message)
    headers = {**_marker_headers(info), "allow": "DELETE"}
    message = "The specified method is not allowed against this resource."
    raise DeletedError(
        "MethodNotAllowed", message, headers, Method="GET", ResourceType="DeleteMarker"
    )


def _marker_headers(info: ObjectInfo) -> dict[str, str]:
    return {MARKER: "true", HEADER: version_id(info)}


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did: the version that is gone, or the delete marker that was put."""

    removed: str = ""
    marker: str = ""
    of_marker: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a DeleteObject."""
        headers = {MARKER: "true"} if self.marker or self.of_marker else {}
        version = self.removed or self.marker
        return {**headers, HEADER: version} if version else headers

    @property
    def elements(self) -> list[str]:
        """Return the elements in a DeleteObjects's result."""
        marker = self.marker or (self.removed if self.of_marker else "")
        return [
            element("VersionId", self.removed) if self.removed else "",
            element("DeleteMarker", content=True) if marker else "",
            element("DeleteMarkerVersionId", marker) if marker else "",
        ]


def delete(
    call: S3Call, key: str, version: str | None, condition: Precondition = ANYTHING
) -> Deletion:
    """Delete one version for good, or put a delete marker. Raises NoSuchKeyError, S3Error."""
    if version is None:
        marker = call.store.versions.hide(call.bucket, key, condition)
        return Deletion(marker=version_id(marker)) if marker else Deletion()
    check_version(version)
    removed = call.store.versions.delete(
        call.bucket, key, lambda each: version_id(each) == version, condition, promote=True
    )
    return Deletion(removed=version, of_marker=bool(removed and removed.state is State.MARKER))


def get_versioning(call: S3Call) -> Response:
    """GetBucketVersioning: empty if versioning was never enabled."""
    state = call.store.get_bucket(call.bucket).versioning
    status = element("Status", state) if state else ""
    return Response(200, document("VersioningConfiguration", status), XML)


def put_versioning(call: S3Call) -> Response:
    """PutBucketVersioning: Enabled or Suspended; there is no way back to neither."""
    try:
        root = parse(call.content, "VersioningConfiguration")
    except MalformedError as error:
        raise malformed(error) from error
    status = root.findtext("Status", "")
    if root.findtext("MfaDelete", "Disabled") != "Disabled":
        raise not_implemented("MfaDelete")
    if not status:
        message = "The Versioning element must be specified"
        raise S3Error("IllegalVersioningConfigurationException", message)
    if status not in {ENABLED, SUSPENDED}:
        raise malformed(MalformedError(f"Status is {status[:100]!r}"))

    def change(bucket: BucketInfo) -> BucketInfo:
        return replace(bucket, versioning=status)

    call.store.update_bucket(call.bucket, change)
    return Response(200, b"")


def list_versions(call: S3Call) -> Response:
    """ListObjectVersions: versions and delete markers by key, from new to old, in pages."""
    query = call.query
    limit = number_in(query, "max-keys", MAX_KEYS, MAX_KEYS)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    asked = VersionQuery(call.bucket, prefix, delimiter, _after(call), max(limit, 1))
    page = call.store.versions.list(asked)
    encode = encoding(call)
    versions = page.versions if limit else ()
    latest = _latest(call, versions)
    entries = [
        _entry(call, each, encode, is_latest=(each.key, each.generation) in latest)
        for each in versions
    ]
    common = [group("CommonPrefixes", element("Prefix", encode(each))) for each in page.prefixes]
    body = document(
        "ListVersionsResult",
        element("Name", call.bucket),
        element("Prefix", encode(prefix)),
        element("KeyMarker", encode(query.get("key-marker", ""))),
        element("VersionIdMarker", query.get("version-id-marker", "")),
        element("MaxKeys", limit),
        element("Delimiter", encode(delimiter)) if delimiter else "",
        element("EncodingType", query["encoding-type"]) if "encoding-type" in query else "",
        element("IsTruncated", bool(limit and page.next)),
        *(_next(page.next, versions, encode) if limit and page.next else ()),
        *entries,
        *(common if limit else ()),
    )
    return Response(200, body, XML)


def _after(call: S3Call) -> tuple[str, int] | None:
    """Return the entry that the page begins after; raises S3Error."""
    key = call.query.get("key-marker", "")
    version = call.query.get("version-id-marker", "")
    if version and not key:
        message = "A version-id marker cannot be specified without a key marker."
        raise S3Error("InvalidArgument", message, ArgumentName="version-id-marker")
    if not key:
        return None
    if not version:
        return key, 0
    check_version(version)
    if version != NULL:
        raw = base64.b64decode(version, altchars=b"._")
        return key, int.from_bytes(raw[DIGEST_BYTES:], "big")
    nulls = (each for each in call.store.versions.all(call.bucket, key) if version_id(each) == NULL)
    null = next(nulls, None)
    return key, null.generation if null else 0


def _next(
    place: tuple[str, int], versions: tuple[ObjectInfo, ...], encode: Encode
) -> tuple[str, ...]:
    key, generation = place
    marks = [each for each in versions if (each.key, each.generation) == place]
    version = element("NextVersionIdMarker", version_id(marks[-1])) if generation and marks else ""
    return element("NextKeyMarker", encode(key)), version


def _latest(call: S3Call, versions: tuple[ObjectInfo, ...]) -> set[tuple[str, int]]:
    """Return (key, generation) of each key's first version, unless the page begins within it."""
    first = {each.key: each.generation for each in reversed(versions)}
    if call.query.get("version-id-marker"):
        first.pop(call.query["key-marker"], None)
    return set(first.items())


def _entry(call: S3Call, info: ObjectInfo, encode: Encode, *, is_latest: bool) -> str:
    shared = (
        element("Key", encode(info.key)),
        element("VersionId", version_id(info)),
        element("IsLatest", is_latest),
        element("LastModified", iso_time(info.updated)),
        owner_of(call),
    )
    if info.state is State.MARKER:
        return group("DeleteMarker", *shared)
    algorithm = info.properties.checksum.partition(":")[0]
    return group(
        "Version",
        *shared,
        element("ETag", quoted(info.etag)),
        element("ChecksumAlgorithm", algorithm.upper()) if algorithm else "",
        element("Size", info.size),
        element("StorageClass", info.properties.storage_class),
    )
