"""S3's object calls: put, get, head, delete, copy."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from ...transport.types import Response
from .errors import NoSuchKeyError, ObjectStoreError
from .nouns import ObjectInfo, Precondition
from .s3_body import announced_algorithm, verify_content
from .s3_buckets import malformed
from .s3_call import S3Call, about_from, write_condition
from .s3_errors import XML, S3Error, from_store, not_implemented
from .s3_xml import MalformedError, document, element, group, parse
from .wire import (
    UndecodableError,
    UnsatisfiableRangeError,
    decode,
    header_value,
    http_date,
    iso_time,
    parse_http_date,
    parse_range,
    serve,
)

MAX_DELETED = 1000
FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
"""The headers a GetObject may ask for by `response-NAME`."""


def quoted(etag: str) -> str:
    """Return an ETag as headers and documents have it."""
    return f'"{etag}"'


def before_put(call: S3Call) -> None:
    """Refuse a PutObject that cannot succeed before its body is taken."""
    present = call.store.find(call.bucket, call.key)
    _check(present, call, write_condition(call.head.headers))
    about_from(call.head.headers)


def put_object(call: S3Call) -> Response:
    """PutObject, with If-None-Match: * and If-Match."""
    assert call.received is not None
    about = about_from(call.head.headers, call.received.checksum)
    condition = write_condition(call.head.headers)
    info = call.store.put(call.bucket, call.key, call.blob, about, condition)
    return Response(200, b"", headers={"etag": quoted(info.etag), **checksum_headers(info)})


def checksum_headers(info: ObjectInfo) -> dict[str, str]:
    """Return the headers that tell the checksum an object was uploaded with."""
    algorithm, _, value = info.about.checksum.partition(":")
    if not algorithm:
        return {}
    return {f"x-amz-checksum-{algorithm}": value, "x-amz-checksum-type": checksum_type(value)}


def checksum_type(value: str) -> str:
    """Return S3's name for what a checksum is over: the object, or its parts' checksums."""
    return COMPOSITE if "-" in value else FULL


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
    headers = call.head.headers
    _check(info, call, Precondition(match=headers.get("if-match")))
    since = parse_http_date(headers.get("if-unmodified-since", ""))
    if "if-match" not in headers and since is not None and int(info.updated) > since:
        raise S3Error("PreconditionFailed", "The object is newer", Condition="If-Unmodified-Since")
    unseen = Precondition(none_match=headers.get("if-none-match")).failing(info) is None
    if "if-none-match" not in headers:
        since = parse_http_date(headers.get("if-modified-since", ""))
        unseen = since is None or int(info.updated) > since
    if not unseen:
        raise S3Error("NotModified", "Not Modified", ETag=quoted(info.etag))


def _check(info: ObjectInfo | None, call: S3Call, condition: Precondition) -> None:
    if info is None and condition.match is not None:
        raise NoSuchKeyError(call.bucket, call.key)
    failing = condition.failing(info)
    if failing:
        message = "At least one of the pre-conditions you specified did not hold"
        raise S3Error("PreconditionFailed", message, Condition=failing)


def _describe(info: ObjectInfo) -> dict[str, str]:
    return {
        "accept-ranges": "bytes",
        "etag": quoted(info.etag),
        "last-modified": http_date(info.updated),
        "x-amz-server-side-encryption": "AES256",
        **info.about.headers,
        **{f"x-amz-meta-{name}": value for name, value in info.about.metadata.items()},
    }


def _overrides(call: S3Call) -> dict[str, str]:
    asked = {name: call.query.get(f"response-{name}") for name in OVERRIDES}
    try:
        return {name: header_value(value) for name, value in asked.items() if value}
    except ValueError as error:
        raise S3Error("InvalidArgument", f"A header to respond with: {error}") from error


def delete_object(call: S3Call) -> Response:
    """DeleteObject: a missing object is no error, unless If-Match asks for one."""
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
        if entry.findtext("VersionId"):
            raise not_implemented("VersionId")
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


def copy_object(call: S3Call) -> Response:
    """CopyObject inside the store: no byte is copied."""
    source = copy_source(call)
    replaced = (call.header("x-amz-metadata-directive") or "COPY").upper() == "REPLACE"
    if not replaced and (source.bucket, source.key) == (call.bucket, call.key):
        message = (
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata."
        )
        raise S3Error("InvalidRequest", message)
    of_parts = source.about.components > 0
    checksum = "" if of_parts else source.about.checksum  # a checksum of the parts' checksums
    about = about_from(call.head.headers) if replaced else source.about
    about = replace(about, checksum=checksum, etag="", components=0)  # the copy is one piece
    condition = write_condition(call.head.headers)
    info = call.store.copies.copy(source, (call.bucket, call.key), about, condition)
    body = document(
        "CopyObjectResult",
        element("LastModified", iso_time(info.updated)),
        element("ETag", quoted(info.etag)),
    )
    return Response(200, body, XML)


def copy_source(call: S3Call) -> ObjectInfo:
    """Return the object that x-amz-copy-source names, its conditions met; raises S3Error."""
    path, _, version = call.head.headers["x-amz-copy-source"].partition("?")
    if version:
        raise not_implemented("x-amz-copy-source with a version")
    try:
        bucket, _, key = decode(path).removeprefix("/").partition("/")
    except UndecodableError as error:
        raise S3Error("InvalidArgument", "Copy Source must be URL-encoded.") from error
    if not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise S3Error("InvalidArgument", message)
    info = call.store.get(bucket, key)
    match = call.header("x-amz-copy-source-if-match")
    none_match = call.header("x-amz-copy-source-if-none-match")
    _check(info, call, Precondition(match=match, none_match=none_match))
    return info
