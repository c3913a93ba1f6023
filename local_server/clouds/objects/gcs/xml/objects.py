"""Objects in the XML API: what signed URLs, gsutil and boto read, write, copy and delete.

Source: Cloud Storage, "XML API" reference: "Get object", "Put object", "Delete object".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from .....transport.types import Request, Response
from ...body_spool import spool
from ...http_util import (
    UndecodableError,
    chunks,
    decode,
    header_value,
    http_date,
    iso_time,
    number,
    parse_http_date,
)
from ...store.checksums import from_base64
from ...store.errors import PreconditionFailedError
from ...store.sessions import verify
from ...store.types import Blob, ObjectInfo, ObjectProperties, Precondition
from ...xml import document, element
from .. import objects
from ..customer_keys import SOURCE_KEY, check_key
from ..errors import invalid, not_implemented
from ..fields import META
from ..request import HEADERS, GcsCall, default_class, expected_digests, live, properties_from
from ..resources import etag_of
from ..uploads import api as uploads
from ..uploads.new_objects import new_object
from .errors import XML

CONDITIONS: Mapping[str, str] = {
    "x-goog-if-generation-match": "ifGenerationMatch",
    "x-goog-if-metageneration-match": "ifMetagenerationMatch",
}
SOURCE = "x-goog-copy-source"
ACLS = frozenset({"bucket-owner-full-control", "bucket-owner-read", "private", "project-private"})
"""The ACLs that let no other project in."""
OVERRIDES = ("content-disposition", "content-type")


def with_conditions(call: GcsCall) -> GcsCall:
    """Return a call with the preconditions of its headers as parameters; raises GcsError."""
    headers = call.head.headers
    named = {CONDITIONS[name]: headers[name] for name in CONDITIONS if name in headers}
    acl = headers.get("x-goog-acl", "private")
    if acl not in ACLS:
        raise not_implemented(f"x-goog-acl: {acl}")
    return replace(call, query={**call.query, **named})


def quoted_etag(info: ObjectInfo) -> str:
    """Return the XML API's ETag: the MD5 of an object that is not composite."""
    return f'"{info.md5.hex() if info.md5 and not info.properties.components else etag_of(info)}"'


def get(call: GcsCall) -> Response:
    """Return an object's bytes, or its headers for HEAD."""
    info = live(call, call.bucket, call.key, call.number("generation"))
    if _not_modified(call, info):
        return Response(304, headers={"etag": quoted_etag(info)})
    response = objects.media(call)
    if response.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return response
    metadata = info.properties.metadata.items()
    headers = {
        **response.headers,
        "etag": quoted_etag(info),
        **{f"{META}{quote(name)}": _as_header(value) for name, value in metadata},
    }
    overrides = _overrides(call)
    kind = overrides.pop("content-type", "") or response.content_type
    return replace(response, headers=headers | overrides, content_type=kind)


def _as_header(value: str) -> str:
    """Return a value of metadata as a header; the JSON API also takes what no header can have."""
    try:
        return header_value(value)
    except ValueError:
        return quote(value)


def _overrides(call: GcsCall) -> dict[str, str]:
    """Return the headers of a response that its request names; raises GcsError."""
    asked = {name: call.query.get(f"response-{name}", "") for name in OVERRIDES}
    try:
        return {name: header_value(value) for name, value in asked.items() if value}
    except ValueError as error:
        raise invalid(f"A header to respond with: {error}") from error


def _not_modified(call: GcsCall, info: ObjectInfo) -> bool:
    """Return whether a read is answered with 304; raises PreconditionFailedError."""
    headers, tag = call.head.headers, quoted_etag(info)
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is not None and "*" not in match and tag not in match:
        raise PreconditionFailedError(info.bucket, info.key, "If-Match")
    if none_match is not None:
        return "*" in none_match or tag in none_match
    since = parse_http_date(headers.get("if-modified-since", ""))
    return since is not None and int(info.updated) <= since


async def put(call: GcsCall, request: Request) -> Response:
    """Store an object from a body, or copy it."""
    if SOURCE in call.head.headers:
        return await asyncio.to_thread(_copy, call)
    await asyncio.to_thread(call.store.get_bucket, call.bucket)
    writer = call.store.writer()
    await spool(chunks(request), writer)
    blob = await asyncio.to_thread(writer.finish)
    return await asyncio.to_thread(store, call, blob)


def store(call: GcsCall, blob: Blob) -> Response:
    """Make a blob the object that the headers describe."""
    headers = call.head.headers
    try:
        expected = expected_digests({}, headers)
        if "content-md5" in headers:
            expected["md5"] = _md5(headers["content-md5"])
        verify(blob, expected)
        info = call.store.put(call.bucket, call.key, blob, properties_of(call), call.condition())
    finally:
        call.store.discard(blob)
    return Response(200, headers=written(info))


def _md5(text: str) -> bytes:
    try:
        return from_base64(text, "md5")
    except ValueError as error:
        raise invalid(f"Invalid Content-MD5: {error}") from error


def written(info: ObjectInfo) -> dict[str, str]:
    """Return the headers of a response to a write."""
    md5 = f",md5={info.md5_base64}" if info.md5 and not info.properties.components else ""
    return {
        "etag": quoted_etag(info),
        "last-modified": http_date(info.updated),
        "x-goog-generation": str(info.generation),
        "x-goog-metageneration": str(info.metageneration),
        "x-goog-hash": f"crc32c={info.crc32c_base64}{md5}",
        "x-goog-stored-content-length": str(info.size),
    }


def properties_of(call: GcsCall) -> ObjectProperties:
    """Return a new object's properties from its headers; raises GcsError."""
    headers = call.head.headers
    resource: dict[str, Any] = {
        field: headers[name] for field, name in HEADERS.items() if name in headers
    }
    resource["metadata"] = {
        name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)
    }
    for header, field in (
        ("x-goog-storage-class", "storageClass"),
        ("x-goog-custom-time", "customTime"),
    ):
        if header in headers:
            resource[field] = headers[header]
    default = default_class(call, call.bucket)
    properties = properties_from(resource, headers.get("content-type", ""), default)
    return new_object(call, call.bucket, properties)


def _copy(call: GcsCall) -> Response:
    headers = call.head.headers
    try:
        bucket, _, key = decode(headers[SOURCE]).removeprefix("/").partition("/")
    except UndecodableError as error:
        raise invalid(f"{SOURCE} is not percent-encoded") from error
    source = live(call, bucket, key, _number(headers, f"{SOURCE}-generation"))
    _check_source(call, source)
    check_key(call, source, SOURCE_KEY)
    fresh = properties_of(call)
    properties = fresh
    if headers.get("x-goog-metadata-directive", "COPY").upper() != "REPLACE":
        properties = replace(
            source.properties,
            storage_class=fresh.storage_class,
            holds=fresh.holds,
            retain_until=0.0,
            customer_key=fresh.customer_key,
        )
    properties = replace(properties, components=source.properties.components)
    copies = call.store.copies
    info = copies.copy(source, (call.bucket, call.key), properties, call.condition())
    body = document(
        "CopyObjectResult",
        element("LastModified", iso_time(info.updated)),
        element("ETag", quoted_etag(info)),
    )
    return Response(200, body, XML, written(info))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """Return the number in a header, None if it is absent; raises GcsError."""
    value = number(headers[name]) if name in headers else None
    if value is None and name in headers:
        raise invalid(f"Invalid value for {name}: {headers[name][:100]!r}")
    return value


def _check_source(call: GcsCall, source: ObjectInfo) -> None:
    headers = call.head.headers
    generation, metageneration = (
        _number(headers, f"{SOURCE}-if-{name}-match") for name in ("generation", "metageneration")
    )
    condition = Precondition(generation=generation, metageneration=metageneration)
    failing = condition.failing(source)
    if failing:
        raise PreconditionFailedError(source.bucket, source.key, failing)


def delete(call: GcsCall) -> Response:
    """Delete an object, or one version of it."""
    return objects.delete(call)


async def start(call: GcsCall) -> Response:
    """Start a resumable upload (`x-goog-resumable: start`), as a signed URL may."""
    properties = await asyncio.to_thread(properties_of, call)
    location = await asyncio.to_thread(uploads.start_session, call, properties)
    return Response(201, headers={"location": location})


async def resume(call: GcsCall, request: Request) -> Response:
    """Continue a resumable upload; its last response has no body here."""
    response = await uploads.resume(call, request)
    is_done = response.status == HTTPStatus.OK
    return replace(response, body=b"", content_type=None) if is_done else response
