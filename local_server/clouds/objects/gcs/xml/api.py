"""The XML API: its requests, and multipart uploads, as `transfer_manager` uses them.

Source: Cloud Storage documentation, "XML API multipart uploads". What is missing here is refused by
name. Unlike in S3, a completion may name its parts in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from .....transport.types import Request, Response
from ...addressing import bucket_in
from ...body_spool import spool
from ...http_util import chunks, decode, iso_time, small_body
from ...store.checksums import to_base64
from ...store.errors import InvalidPartError
from ...store.sessions import verify
from ...store.types import Blob, Part, Upload
from ...store.uploads import MAX_PARTS, choose
from ...xml import MalformedError, document, element, group, initiated, parse
from ..errors import GcsError, invalid, not_implemented
from ..request import GcsCall, check_name, expected_digests
from ..resources import etag_of
from . import buckets, objects
from .errors import XML
from .objects import with_conditions

PAGE = 1000


SETTINGS = ("acl", "location", "storageClass", "versioning")
SUBRESOURCES = frozenset({
    "acl", "billing", "compose", "cors", "defaultObjectAcl", "delete", "encryption",
    "encryptionConfig", "lifecycle", "logging", "policy", "publicAccessBlock", "restore",
    "retention", "softDelete", "tagging", "versions", "website", "websiteConfig",
})  # fmt: skip
"""Parameters that select an operation which is missing here."""


async def answer(call: GcsCall, request: Request) -> Response:
    """Answer a request of the XML API; raises GcsError."""
    head = request.head
    bucket, key = bucket_in(head.headers.get("host", "")), decode(head.path).removeprefix("/")
    if not bucket:
        bucket, _, key = key.partition("/")
    missing = SUBRESOURCES & call.query.keys()
    if missing == {"acl"} and not key and head.method == "GET":
        missing = frozenset()  # gsutil reads it when it has created a bucket
    if missing:
        raise not_implemented(f"the XML API's {head.method} with {', '.join(sorted(missing))}")
    if not key:
        content = await small_body(request)
        call = replace(call, names=(bucket,), content=content)
        return await asyncio.to_thread(_of_bucket, call)
    call = with_conditions(replace(call, names=(bucket, check_name(key))))
    streamed = await _streamed(call, request)
    if streamed is not None:
        return streamed
    run = _choose(head.method, call)
    content = await small_body(request)
    return await asyncio.to_thread(run, replace(call, content=content))


async def _streamed(call: GcsCall, request: Request) -> Response | None:
    """Answer a request whose body is an object's or a part's; None for any other."""
    method, query = request.head.method, call.query
    if method == "PUT" and {"uploadId", "partNumber"} <= query.keys():
        return await _put_part(call, request)
    if method in {"DELETE", "PUT"} and "upload_id" in query:
        return await objects.resume(call, request)
    if method == "PUT" and not query.keys() & {"uploadId", "partNumber"}:
        return await objects.put(call, request)
    if method == "POST" and request.head.headers.get("x-goog-resumable") == "start":
        return await objects.start(call)
    return None


def _of_bucket(call: GcsCall) -> Response:
    method = call.head.method
    if not call.bucket:
        if method == "GET":
            return buckets.list_buckets(call)
        raise not_implemented(f"the XML API's {method} /")
    if method == "GET":
        return _get_bucket(call)
    run = {
        "PUT": buckets.create,
        "DELETE": buckets.delete,
        "HEAD": buckets.head,
    }.get(method)
    if run is None or call.query.keys() & {*SETTINGS, "uploads"}:
        raise not_implemented(f"the XML API's {method} {call.head.target}")
    return run(call)


def _get_bucket(call: GcsCall) -> Response:
    if "uploads" in call.query:
        return _list_uploads(call)
    for name in SETTINGS:
        if name in call.query:
            return buckets.setting(call, name)
    return buckets.list_objects(call)


def _choose(method: str, call: GcsCall) -> Callable[[GcsCall], Response]:
    if method == "POST" and "uploads" in call.query:
        return _initiate
    if "uploadId" in call.query:
        of_upload = {"POST": _complete, "DELETE": _abort, "GET": _list_parts}
        if method in of_upload:
            return of_upload[method]
    plain = {"GET": objects.get, "HEAD": objects.get, "DELETE": objects.delete}
    if method in plain and not call.query.keys() & {"uploads", "uploadId", "partNumber"}:
        return plain[method]
    raise not_implemented(f"the XML API's {method} {call.head.path}")


def _initiate(call: GcsCall) -> Response:
    properties = objects.properties_of(call)
    upload = call.store.uploads.create(call.bucket, call.key, properties)
    return Response(200, initiated(call.bucket, call.key, upload.id), XML)


def _upload(call: GcsCall) -> Upload:
    return call.store.uploads.get(call.query["uploadId"], call.bucket, call.key)


async def _put_part(call: GcsCall, request: Request) -> Response:
    number = call.number("partNumber") or 0
    if not 1 <= number <= MAX_PARTS:
        raise invalid(f"partNumber must be between 1 and {MAX_PARTS}")
    upload = await asyncio.to_thread(_upload, call)
    writer = call.store.writer()
    await spool(chunks(request), writer)
    blob = await asyncio.to_thread(writer.finish)
    return await asyncio.to_thread(_keep_part, call, upload, number, blob)


def _keep_part(call: GcsCall, upload: Upload, number: int, blob: Blob) -> Response:
    try:
        verify(blob, expected_digests({}, call.head.headers))
        part = call.store.uploads.put_part(upload, number, blob)
    finally:
        call.store.discard(blob)
    hashes = f"crc32c={to_base64(part.crc32c)},md5={to_base64(part.md5)}"
    return Response(200, headers={"etag": f'"{part.md5.hex()}"', "x-goog-hash": hashes})


def _complete(call: GcsCall) -> Response:
    upload = _upload(call)
    parts = {part.number: part for part in call.store.uploads.parts(upload)}
    try:
        chosen = choose(parts, sorted(_parse_completion(call.content)))
    except InvalidPartError as error:
        raise GcsError(400, error.code, error.message) from error
    blob = call.store.uploads.join(upload, chosen)
    properties = replace(upload.properties, components=len(chosen))
    info = call.store.uploads.complete(upload, blob, properties, call.condition())
    body = document(
        "CompleteMultipartUploadResult",
        element("Location", f"{call.base}{call.head.path}"),
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("ETag", f'"{etag_of(info)}"'),
    )
    headers = {
        "x-goog-hash": f"crc32c={info.crc32c_base64}",
        "x-goog-generation": str(info.generation),
    }
    return Response(200, body, XML, headers)


def _parse_completion(content: bytes) -> list[tuple[int, str]]:
    try:
        parts = [
            (int(each.findtext("PartNumber", "")), each.findtext("ETag", "").strip('"'))
            for each in parse(content, "CompleteMultipartUpload")
        ]
    except (MalformedError, ValueError) as error:
        raise invalid(f"Malformed completion: {error}") from error
    if not parts:
        raise invalid("Malformed completion: it names no part")
    return parts


def _abort(call: GcsCall) -> Response:
    call.store.uploads.abort(call.query["uploadId"], call.bucket, call.key)
    return Response(204)


def _list_uploads(call: GcsCall) -> Response:
    """List a bucket's open uploads on one page ("List multipart uploads")."""
    uploads = [
        group(
            "Upload",
            element("Key", each.key),
            element("UploadId", each.id),
            element("StorageClass", each.properties.storage_class),
            element("Initiated", iso_time(each.created)),
        )
        for each in call.store.uploads.list(call.bucket, call.query.get("prefix", ""))
    ]
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        element("Prefix", call.query.get("prefix", "")),
        element("MaxUploads", len(uploads)),
        element("IsTruncated", content=False),
        *uploads,
    )
    return Response(200, body, XML)


def _list_parts(call: GcsCall) -> Response:
    """List the uploaded parts, in pages ("List object parts")."""
    upload = _upload(call)
    first = call.number("part-number-marker") or 0
    most = min(call.number("max-parts") or PAGE, PAGE)
    parts = [part for part in call.store.uploads.parts(upload) if part.number > first]
    page = parts[:most]
    body = document(
        "ListPartsResult",
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("UploadId", upload.id),
        element("StorageClass", upload.properties.storage_class),
        element("PartNumberMarker", first),
        element("NextPartNumberMarker", page[-1].number if page else first),
        element("MaxParts", most),
        element("IsTruncated", len(parts) > most),
        *(_part_element(part) for part in page),
    )
    return Response(200, body, XML)


def _part_element(part: Part) -> str:
    return group(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", iso_time(part.created)),
        element("ETag", f'"{part.md5.hex()}"'),
        element("Size", part.size),
    )
