"""S3's operations on objects: put, get, head, delete."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from ....transport.types import Response
from ..http_util import UnsatisfiableRangeError, header_value, http_date, parse_range, serve
from ..store.errors import ObjectStoreError
from ..store.types import ObjectInfo, ObjectProperties, Precondition
from ..xml import MalformedError, document, element, group, parse, quoted
from .attributes import part_of
from .callers.permissions import check_action
from .errors import XML, S3Error, from_store, malformed, not_implemented
from .request import S3Call, check, check_unchanged, is_unchanged, write_condition
from .tags import properties_of
from .uploads.body import announced_algorithm, checksum_headers, verify_content
from .uploads.sizes import check_length
from .versions import chosen, delete, version_header

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
    check_length(call.head)
    present = call.store.find(call.bucket, call.key)
    check(present, call, write_condition(call.head.headers))
    properties_of(call.head.headers)


def put_object(call: S3Call) -> Response:
    """PutObject, with If-None-Match: * and If-Match."""
    assert call.received is not None
    properties = properties_of(call.head.headers, call.received.checksum)
    condition = write_condition(call.head.headers)
    info = call.store.put(call.bucket, call.key, call.blob, properties, condition)
    headers = {"etag": quoted(info.etag), **checksum_headers(info), **version_header(call, info)}
    return Response(200, b"", headers=headers)


def get_object(call: S3Call) -> Response:
    """GetObject: whole, one range or one part, with all four conditions (RFC 9110 13.2.2)."""
    info = chosen(call)
    _check_read(call, info)
    headers = {**_describe(info), **_overrides(call), **version_header(call, info)}
    wants_checksum = (call.header("x-amz-checksum-mode") or "").upper() == "ENABLED"
    if "partNumber" in call.query:
        part = part_of(call, info)
        headers |= part.headers(checksum=wants_checksum)
        return serve(call.store, info, call.head.method, part.span, headers)
    span = _span(call, info)
    if span is None and wants_checksum:
        headers |= checksum_headers(info)
    return serve(call.store, info, call.head.method, span, headers)


def _span(call: S3Call, info: ObjectInfo) -> tuple[int, int] | None:
    try:
        return parse_range(call.header("range"), info.size)
    except UnsatisfiableRangeError as error:
        raise S3Error(
            "InvalidRange",
            "The requested range is not satisfiable",
            RangeRequested=call.head.headers["range"],
            ActualObjectSize=str(info.size),
        ) from error


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
    condition = Precondition(match=call.header("if-match"), is_one=True)
    deleted = delete(call, call.key, call.query.get("versionId"), condition)
    return Response(204, headers=deleted.headers)


def delete_objects(call: S3Call) -> Response:
    """DeleteObjects: up to 1000 keys, each with its own result; the body needs a checksum."""
    call.store.get_bucket(call.bucket)
    headers = call.head.headers
    algorithm = announced_algorithm(headers)
    verify_content(call.content, headers, algorithm)
    try:
        root = parse(call.content, "Delete")
    except MalformedError as error:
        raise malformed(error) from error
    objects = root.findall("Object")
    if not 1 <= len(objects) <= MAX_DELETED:
        raise malformed(MalformedError(f"it names {len(objects)} objects, not 1 to {MAX_DELETED}"))
    if algorithm is None and "content-md5" not in headers:
        message = "Missing required header for this request: Content-MD5"
        raise S3Error("InvalidRequest", message)
    quiet = root.findtext("Quiet", "false").strip() == "true"
    results = [_delete_one(call, each, quiet=quiet) for each in objects]
    return Response(200, document("DeleteResult", *results), XML)


def _delete_one(call: S3Call, entry: ET.Element, *, quiet: bool) -> str:
    key, version = entry.findtext("Key", ""), entry.findtext("VersionId") or None
    try:
        for child in entry:
            if child.tag not in {"Key", "ETag", "VersionId"}:
                raise not_implemented(child.tag)
        action = "s3:DeleteObject" if version is None else "s3:DeleteObjectVersion"
        check_action(call, action, f"{call.bucket}/{key}")
        deleted = delete(
            call, key, version, Precondition(match=entry.findtext("ETag"), is_one=True)
        )
    except ObjectStoreError as error:
        refusal = from_store(error)
        return group(
            "Error",
            element("Key", key),
            element("VersionId", version) if version else "",
            element("Code", refusal.code),
            element("Message", refusal.message),
        )
    return "" if quiet else group("Deleted", element("Key", key), *deleted.elements)
