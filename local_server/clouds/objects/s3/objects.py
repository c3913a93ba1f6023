"""S3's operations on objects: put, get, head, delete."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from ....transport.types import Response
from ..http_util import UnsatisfiableRangeError, header_value, http_date, parse_range, serve
from ..store.errors import NoSuchKeyError, ObjectStoreError
from ..store.types import ObjectInfo, ObjectProperties, Precondition
from ..xml import MalformedError, document, element, group, parse, quoted
from .body import announced_algorithm, checksum_headers, verify_content
from .buckets import malformed
from .errors import XML, S3Error, from_store, not_implemented
from .permissions import check_action
from .request import S3Call, check, check_unchanged, is_unchanged, write_condition
from .tags import properties_of

MAX_DELETED = 1000
OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
"""The response headers that a GetObject may override with `response-NAME`."""


def before_put(call: S3Call) -> None:
    """Refuse a PutObject that cannot succeed, before its body is read."""
    present = call.store.find(call.bucket, call.key)
    check(present, call, write_condition(call.head.headers))
    properties_of(call.head.headers)


def put_object(call: S3Call) -> Response:
    """PutObject, with If-None-Match: * and If-Match."""
    assert call.received is not None
    properties = properties_of(call.head.headers, call.received.checksum)
    condition = write_condition(call.head.headers)
    info = call.store.put(call.bucket, call.key, call.blob, properties, condition)
    return Response(200, b"", headers={"etag": quoted(info.etag), **checksum_headers(info)})


def get_object(call: S3Call) -> Response:
    """GetObject: whole or one range, with all four conditions (RFC 9110 13.2.2)."""
    info = call.store.get(call.bucket, call.key)
    _check_read(call, info)
    try:
        span = parse_range(call.header("range"), info.size)
    except UnsatisfiableRangeError as error:
        raise S3Error(
            "InvalidRange",
            "The requested range is not satisfiable",
            RangeRequested=call.head.headers["range"],
            ActualObjectSize=str(info.size),
        ) from error
    headers = {**_describe(info), **_overrides(call)}
    if span is None and (call.header("x-amz-checksum-mode") or "").upper() == "ENABLED":
        headers |= checksum_headers(info)
    return serve(call.store, info, call.head.method, span, headers)


def _check_read(call: S3Call, info: ObjectInfo) -> None:
    check_unchanged(call, info)
    if is_unchanged(call, info):
        raise S3Error("NotModified", "Not Modified", ETag=quoted(info.etag))


def _describe(info: ObjectInfo) -> dict[str, str]:
    return {
        "accept-ranges": "bytes",
        "etag": quoted(info.etag),
        "last-modified": http_date(info.updated),
        "x-amz-server-side-encryption": "AES256",
        **_optional(info.properties),
        **info.properties.headers,
        **{f"x-amz-meta-{name}": value for name, value in info.properties.metadata.items()},
    }


def _optional(properties: ObjectProperties) -> dict[str, str]:
    headers = {
        "x-amz-storage-class": properties.storage_class
        if properties.storage_class != "STANDARD"
        else "",
        "x-amz-tagging-count": str(len(properties.tags)) if properties.tags else "",
    }
    return {name: value for name, value in headers.items() if value}


def _overrides(call: S3Call) -> dict[str, str]:
    overrides = {name: call.query.get(f"response-{name}") for name in OVERRIDES}
    try:
        return {name: header_value(value) for name, value in overrides.items() if value}
    except ValueError as error:
        raise S3Error("InvalidArgument", f"A header to respond with: {error}") from error


def delete_object(call: S3Call) -> Response:
    """DeleteObject: a missing object is not an error, except with an If-Match."""
    _delete(call, call.key, Precondition(match=call.header("if-match")))
    return Response(204)


def _delete(call: S3Call, key: str, condition: Precondition) -> None:
    try:
        call.store.delete(call.bucket, key, condition)
    except NoSuchKeyError:
        if condition.match is not None:
            raise


def delete_objects(call: S3Call) -> Response:
    """DeleteObjects: up to 1000 keys, each with its own result."""
    call.store.get_bucket(call.bucket)
    headers = call.head.headers
    verify_content(call.content, headers, announced_algorithm(headers))
    try:
        root = parse(call.content, "Delete")
    except MalformedError as error:
        raise malformed(error) from error
    objects = root.findall("Object")
    if not 1 <= len(objects) <= MAX_DELETED:
        raise malformed(MalformedError(f"it names {len(objects)} objects, not 1 to {MAX_DELETED}"))
    quiet = root.findtext("Quiet", "false").strip() == "true"
    results = [_delete_one(call, each, quiet=quiet) for each in objects]
    return Response(200, document("DeleteResult", *results), XML)


def _delete_one(call: S3Call, entry: ET.Element, *, quiet: bool) -> str:
    key = entry.findtext("Key", "")
    try:
        for child in entry:
            if child.tag not in {"Key", "ETag"}:
                raise not_implemented(child.tag)
        check_action(call, "s3:DeleteObject", f"{call.bucket}/{key}")
        _delete(call, key, Precondition(match=entry.findtext("ETag")))
    except ObjectStoreError as error:
        refusal = from_store(error)
        return group(
            "Error",
            element("Key", key),
            element("Code", refusal.code),
            element("Message", refusal.message),
        )
    return "" if quiet else group("Deleted", element("Key", key))
