"""GCS's three kinds of upload through the JSON API: media, multipart, resumable.

Sources: Cloud Storage documentation, "Uploads and downloads", "Perform resumable uploads". Every
announced digest and size (crc32c, md5Hash, X-Goog-Hash) is verified before the object appears.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from .....transport.types import Request, Response
from ...body_spool import pour, spool
from ...http_util import chunks, number, small_body
from ...store.blobs import BlobWriter
from ...store.errors import NoSuchKeyError, NoSuchUploadError, ObjectStoreError
from ...store.sessions import SessionChunk, verify
from ...store.types import ObjectInfo, ObjectProperties, Session
from ..errors import GcsError, invalid
from ..request import (
    GcsCall,
    answer,
    check_name,
    check_write,
    default_class,
    expected_digests,
    parse_json,
    properties_from,
)
from ..resources import object_resource
from .content_range import ContentRange, parse_content_range
from .multipart_related import RelatedDecoder, RelatedError
from .new_objects import new_object

CLIENT_CLOSED_REQUEST = 499
"""GCS's status for the deletion of a session."""
RESUME_INCOMPLETE = 308
"""`bytes 0-*/*`, of an unknown number of bytes, is the Node client's (`resumable-upload.ts`)."""


async def upload(call: GcsCall, request: Request) -> Response:
    """objects.insert: dispatches on the upload type in the query."""
    if "upload_id" in call.query:
        return await resume(call, request)
    await asyncio.to_thread(call.store.get_bucket, call.bucket)
    match call.query.get("uploadType"):
        case "media":
            return await insert_media(call, request)
        case "multipart":
            return await insert_multipart(call, request)
        case "resumable":
            return await start(call, request)
        case other:
            raise invalid(f"Invalid uploadType: {other!r}; one of media, multipart, resumable")


async def insert_media(call: GcsCall, request: Request) -> Response:
    """Store a body that is the object's content; the query has its name."""
    headers = request.head.headers
    check_name(call.query.get("name"))
    writer = call.store.writer()
    await spool(chunks(request), writer)
    return await asyncio.to_thread(_insert, call, writer, {}, headers.get("content-type", ""))


async def insert_multipart(call: GcsCall, request: Request) -> Response:
    """Store a body of JSON and content."""
    try:
        decoder = RelatedDecoder(request.head.headers.get("content-type", ""))
        writer = call.store.writer()
        await spool(_media(request, decoder), writer)
    except RelatedError as error:
        raise invalid(f"Malformed multipart body: {error}") from error
    try:
        resource = parse_json(decoder.metadata)
    except ObjectStoreError:
        writer.abort()
        raise
    return await asyncio.to_thread(_insert, call, writer, resource, decoder.media_type)


async def _media(request: Request, decoder: RelatedDecoder) -> AsyncIterator[bytes]:
    async for chunk in chunks(request):
        yield decoder.feed(chunk)
    decoder.finish()


def _insert(
    call: GcsCall, writer: BlobWriter, resource: Mapping[str, Any], content_type: str
) -> Response:
    blob = writer.finish()
    try:
        name = _name(call, resource)
        properties = _properties(call, resource, content_type)
        verify(blob, expected_digests(resource, call.head.headers))
        info = call.store.put(call.bucket, name, blob, properties, call.condition())
    finally:
        call.store.discard(blob)
    return answer(object_resource(info, call.base))


def _properties(call: GcsCall, resource: Mapping[str, Any], content_type: str) -> ObjectProperties:
    """Return a new object's properties from its resource and the query; raises GcsError."""
    encoding = call.query.get("contentEncoding")
    overrides = {"contentEncoding": encoding} if encoding else {}
    merged = {**resource, **overrides}
    properties = properties_from(merged, content_type, default_class(call, call.bucket))
    return new_object(call, call.bucket, properties)


def _name(call: GcsCall, resource: Mapping[str, Any]) -> str:
    name = call.query.get("name") or resource.get("name")
    if name is not None and not isinstance(name, str):
        raise invalid("Invalid value for name")
    return check_name(name)


# Resumable uploads


async def start(call: GcsCall, request: Request) -> Response:
    """Start a session and return its URL."""
    content = await small_body(request)
    return await asyncio.to_thread(_start, call, parse_json(content))


def _start(call: GcsCall, resource: Mapping[str, Any]) -> Response:
    headers = call.head.headers
    name = (call.bucket, _name(call, resource))
    check_write(call.store.find(*name), call, name)
    total = headers.get("x-upload-content-length", "")
    session = call.store.sessions.create(
        name,
        _properties(call, resource, headers.get("x-upload-content-type", "")),
        call.condition(),
        expected_digests(resource, headers),
        number(total),
    )
    query = f"uploadType=resumable&name={quote(name[1], safe='')}&upload_id={session.id}"
    location = f"{call.base}/upload/storage/v1/b/{quote(call.bucket)}/o?{query}"
    # TensorFlow's client finds the names of headers in this case only (`curl_http_request.cc`).
    return Response(200, headers={"Location": location, "X-GUploader-UploadID": session.id})


def start_session(call: GcsCall, properties: ObjectProperties) -> str:
    """Start a session for the XML API and return its URL."""
    name = (call.bucket, call.key)
    check_write(call.store.find(*name), call, name)
    expected = expected_digests({}, call.head.headers)
    session = call.store.sessions.create(name, properties, call.condition(), expected, None)
    return f"{call.base}{call.head.path}?upload_id={session.id}"


async def resume(call: GcsCall, request: Request) -> Response:
    """Write a chunk, report a session's state, or cancel it."""
    session = await asyncio.to_thread(call.store.sessions.get, call.query["upload_id"])
    if (session.bucket, request.head.method) == (call.bucket, "DELETE"):
        await asyncio.to_thread(call.store.sessions.cancel, session.id)
        return Response(CLIENT_CLOSED_REQUEST)
    if session.bucket != call.bucket or request.head.method not in {"PUT", "POST"}:
        raise NoSuchUploadError(session.id)
    span = parse_content_range(request.head.headers.get("content-range"))
    if session.generation:
        return await asyncio.to_thread(_finished, call, session)
    if span.total not in {None, session.total} and session.total is not None:
        raise invalid(f"The upload was started with {session.total} bytes, not {span.total}")
    if span.first is None and span.total != session.received:
        return _incomplete(session)
    chunk = await asyncio.to_thread(call.store.sessions.begin, session.id)
    return await _take_chunk(call, request, chunk, span)


async def _take_chunk(
    call: GcsCall, request: Request, chunk: SessionChunk, span: ContentRange
) -> Response:
    """Write a chunk; if it is truncated, the bytes that arrived are kept."""
    sessions = call.store.sessions
    try:
        await _write(request, chunk, span)
    except BaseException:
        sessions.commit(chunk)
        raise
    total = span.total
    if total is None and span.first is not None and span.last is None:
        total = chunk.writer.size  # the rest of the object
    if total is None or chunk.writer.size < total:
        return _incomplete(await asyncio.to_thread(sessions.commit, chunk))
    return await asyncio.to_thread(_finish, call, chunk)


async def _write(request: Request, chunk: SessionChunk, span: ContentRange) -> None:
    """Append the new bytes: a repeated chunk may overlap received ones."""
    received, kept = chunk.writer.size, span.kept
    if span.first is None:
        return
    if span.first > received:
        raise invalid(f"The chunk begins at {span.first}, but {received} bytes have been received")
    pieces = _new_bytes(request, span, span.first, received)
    await pour(pieces if kept is None else _until(pieces, kept - received), chunk.writer)


async def _new_bytes(
    request: Request, span: ContentRange, position: int, received: int
) -> AsyncIterator[bytes]:
    async for piece in chunks(request):
        if span.last is not None and position + len(piece) > span.last + 1:
            raise invalid("The chunk is longer than its Content-Range")
        yield piece[max(received - position, 0) :]
        position += len(piece)
    if span.last is not None and position != span.last + 1:
        raise invalid("The chunk is shorter than its Content-Range")


async def _until(pieces: AsyncIterator[bytes], left: int) -> AsyncIterator[bytes]:
    """Yield the first bytes, and read the others."""
    async for piece in pieces:
        yield piece[: max(left, 0)]
        left -= len(piece)


def _finish(call: GcsCall, chunk: SessionChunk) -> Response:
    try:
        expected = expected_digests({}, call.head.headers)
    except GcsError:
        call.store.sessions.drop(chunk)
        raise
    info = call.store.sessions.finish(chunk, expected)
    return answer(object_resource(info, call.base))


def _finished(call: GcsCall, session: Session) -> Response:
    """Repeat the response to the last chunk, if its object still exists."""
    info: ObjectInfo | None = call.store.find(session.bucket, session.key)
    if info is None or info.generation != session.generation:
        raise NoSuchKeyError(session.bucket, session.key)
    return answer(object_resource(info, call.base))


def _incomplete(session: Session) -> Response:
    headers = {"x-guploader-uploadid": session.id}
    if session.received:
        headers["Range"] = f"bytes=0-{session.received - 1}"
    return Response(RESUME_INCOMPLETE, headers=headers)
