"""S3's copies: objects, and ranges of objects as parts."""

from __future__ import annotations

import re
from dataclasses import replace

from ....transport.types import Response
from ..http_util import UndecodableError, decode, iso_time, number
from ..store.types import ObjectInfo, ObjectProperties
from ..xml import document, element, quoted
from .errors import XML, S3Error, not_implemented
from .request import ENCRYPTION, S3Call, check_unchanged, failed, is_unchanged, write_condition
from .tags import properties_of
from .uploads.multipart import part_number, upload_of
from .uploads.sizes import check_copied
from .versions import HEADER, version_header, version_of

SOURCE = "x-amz-copy-source"
CONDITIONS = f"{SOURCE}-"
"""Prefix of the conditions on a copy's source."""
SPAN = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)


def copy_object(call: S3Call) -> Response:
    """CopyObject inside the store: no bytes are copied."""
    source = _source(call)
    check_copied(source.size)
    replaced = (call.header("x-amz-metadata-directive") or "COPY").upper() == "REPLACE"
    in_place = (source.bucket, source.key) == (call.bucket, call.key)
    if not replaced and in_place and "?" not in call.head.headers[SOURCE]:
        message = (
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata."
        )
        raise S3Error("InvalidRequest", message)
    of_parts = source.properties.components > 0
    checksum = "" if of_parts else source.properties.checksum  # a checksum of the parts' checksums
    properties = _properties(call, source.properties, replaced=replaced)
    properties = replace(
        properties, checksum=checksum, etag="", components=0, parts=()
    )  # the copy is one piece
    condition = write_condition(call.head.headers)
    info = call.store.copies.copy(source, (call.bucket, call.key), properties, condition)
    body = document(
        "CopyObjectResult",
        element("LastModified", iso_time(info.updated)),
        element("ETag", quoted(info.etag)),
    )
    headers = {**version_header(call, info), **_source_header(call, source)}
    return Response(200, body, XML, headers)


def _source_header(call: S3Call, source: ObjectInfo) -> dict[str, str]:
    """Return the header that names the copied version, if its bucket has versions."""
    named = version_header(call, source, source.bucket)
    return {"x-amz-copy-source-version-id": named[HEADER]} if named else {}


def _properties(call: S3Call, source: ObjectProperties, *, replaced: bool) -> ObjectProperties:
    """Return a copy's properties: its own encryption and class, the rest as directed."""
    headers = call.head.headers
    own = properties_of(headers)
    directive = (call.header("x-amz-tagging-directive") or "COPY").upper()
    if directive not in {"COPY", "REPLACE"}:
        raise S3Error("InvalidArgument", "Unknown tagging directive.")
    if directive == "COPY" and own.tags:
        raise not_implemented("x-amz-tagging without x-amz-tagging-directive: REPLACE")
    tags = own.tags if directive == "REPLACE" else source.tags
    if replaced:
        return replace(own, tags=tags)
    encryption = {name: value for name, value in own.headers.items() if name.startswith(ENCRYPTION)}
    kept = {
        name: value for name, value in source.headers.items() if not name.startswith(ENCRYPTION)
    }
    return replace(source, headers=kept | encryption, tags=tags, storage_class=own.storage_class)


def upload_part_copy(call: S3Call) -> Response:
    """UploadPartCopy: a part from a range of an object."""
    source, upload, position = _source(call), upload_of(call), part_number(call)
    offset, length = _span(call, source.size)
    check_copied(length)
    blob = call.store.copies.excerpt(source, offset, length)
    part = call.store.uploads.put_part(upload, position, blob)
    body = document(
        "CopyPartResult",
        element("LastModified", iso_time(part.created)),
        element("ETag", quoted(part.md5.hex())),
    )
    return Response(200, body, XML, _source_header(call, source))


def _span(call: S3Call, size: int) -> tuple[int, int]:
    """Return offset and length of the copied range, which must lie within the source."""
    header = call.header(f"{SOURCE}-range")
    if header is None:
        return 0, size
    match = SPAN.fullmatch(header)
    first, last = (number(text) for text in match.groups()) if match else (None, None)
    if first is None or last is None or first > last:
        message = "The x-amz-copy-source-range value must be of the form bytes=first-last"
        raise S3Error("InvalidArgument", message)
    if last >= size:
        message = f"Range specified is not valid for source object of size: {size}"
        raise S3Error("InvalidArgument", message)
    return first, last - first + 1


def _source(call: S3Call) -> ObjectInfo:
    """Return the object that x-amz-copy-source names, after its conditions; raises S3Error."""
    path, _, query = call.head.headers[SOURCE].partition("?")
    version = query.removeprefix("versionId=") if query else None
    if query and version == query:
        raise S3Error("InvalidArgument", "Invalid copy source: its only parameter is versionId")
    try:
        bucket, _, key = decode(path).removeprefix("/").partition("/")
    except UndecodableError as error:
        raise S3Error("InvalidArgument", "Copy Source must be URL-encoded.") from error
    if not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise S3Error("InvalidArgument", message)
    info = version_of(call, (bucket, key), version, copied=True)
    check_unchanged(call, info, CONDITIONS)
    if is_unchanged(call, info, CONDITIONS):
        by_tag = call.header(f"{CONDITIONS}if-none-match") is not None
        raise failed("If-None-Match" if by_tag else "If-Modified-Since")
    return info
