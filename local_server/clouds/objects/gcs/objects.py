"""GCS's operations on existing objects: get, download, patch, delete, copy, compose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ....transport.types import Response
from ..http_util import UnsatisfiableRangeError, header_value, http_date, number, parse_range, serve
from ..store.errors import NoSuchKeyError, PreconditionFailedError
from ..store.types import ObjectInfo, ObjectProperties, Precondition
from .customer_keys import SOURCE_KEY, check_key
from .errors import GcsError, invalid
from .fields import check_compose
from .request import (
    GcsCall,
    answer,
    check_name,
    default_class,
    live,
    mapping,
    properties_from,
    revise,
)
from .resources import etag_of, object_resource
from .transcoding import is_transcoded, transcoded
from .uploads.new_objects import after_release, new_object

MAX_SOURCES = 32
NOT_MODIFIED = frozenset({"ifGenerationNotMatch", "ifMetagenerationNotMatch"})


def get(call: GcsCall) -> Response:
    """objects.get: the resource, or the bytes with alt=media."""
    return media(call) if call.query.get("alt") == "media" else _metadata(call)


def _metadata(call: GcsCall) -> Response:
    info = _wanted(call)
    unchanged = _unchanged(call, info)
    return unchanged or answer(object_resource(info, call.base))


def _wanted(call: GcsCall) -> ObjectInfo:
    generation = call.number("generation")
    if not call.flag("softDeleted"):
        return live(call, call.bucket, call.key, generation)
    if generation is None:
        raise invalid("softDeleted needs a generation")
    info = call.store.versions.find_deleted(call.bucket, call.key, generation)
    if info is None:
        raise NoSuchKeyError(call.bucket, call.key)
    return info


def media(call: GcsCall) -> Response:
    """Return an object's bytes, or one range of them."""
    info = live(call, call.bucket, call.key, call.number("generation"))
    unchanged = _unchanged(call, info)
    if unchanged:
        return unchanged
    check_key(call, info)
    if is_transcoded(call.head, info):
        return transcoded(call, info, _describe(info))
    try:
        span = parse_range(call.head.headers.get("range"), info.size)
    except UnsatisfiableRangeError as error:
        message = "The requested range cannot be satisfied."
        raise GcsError(416, "requestedRangeNotSatisfiable", message) from error
    headers = {name: header_value(value) for name, value in _describe(info).items()}
    return serve(call.store, info, call.head.method, span, headers)


def _unchanged(call: GcsCall, info: ObjectInfo) -> Response | None:
    """Return 304 if a "not match" condition fails; raises PreconditionFailedError for others."""
    failing = call.condition().failing(info)
    if failing is None:
        return None
    if failing in NOT_MODIFIED:
        return Response(304, headers={"etag": etag_of(info)})
    raise PreconditionFailedError(info.bucket, info.key, failing)


def _describe(info: ObjectInfo) -> dict[str, str]:
    md5 = "" if info.properties.components else f",md5={info.md5_base64}"
    encoding = info.properties.headers.get("content-encoding", "identity")
    return {
        "accept-ranges": "bytes",
        "content-type": info.properties.content_type,
        "etag": etag_of(info),
        "last-modified": http_date(info.updated),
        "x-goog-generation": str(info.generation),
        "x-goog-metageneration": str(info.metageneration),
        "x-goog-hash": f"crc32c={info.crc32c_base64}{md5}",
        "x-goog-storage-class": info.properties.storage_class,
        "x-goog-stored-content-encoding": encoding,
        "x-goog-stored-content-length": str(info.size),
        **info.properties.headers,
    }


def patch(call: GcsCall) -> Response:
    """objects.patch: merges fields."""
    changes = call.json()
    return _update(call, lambda properties: revise(properties, changes))


def update(call: GcsCall) -> Response:
    """objects.update: replaces all writable fields."""
    resource = call.json()

    def change(properties: ObjectProperties) -> ObjectProperties:
        fresh = properties_from(resource, storage_class=properties.storage_class)
        return revise(_of_content(fresh, properties), {})

    return _update(call, change)


def _update(call: GcsCall, change: Callable[[ObjectProperties], ObjectProperties]) -> Response:
    bucket = call.store.get_bucket(call.bucket)

    def released(properties: ObjectProperties) -> ObjectProperties:
        return after_release(properties, change(properties), bucket)

    generation = call.number("generation")
    changed = call.store.update(
        call.bucket, call.key, released, call.condition(), generation=generation
    )
    return answer(object_resource(changed, call.base))


def _of_content(properties: ObjectProperties, content: ObjectProperties) -> ObjectProperties:
    """Return `properties` with those that belong to the content, such as its checksum."""
    return replace(
        properties, checksum=content.checksum, etag=content.etag, components=content.components
    )


def delete(call: GcsCall) -> Response:
    """objects.delete: the live object, or one version for good."""
    generation = call.number("generation")
    if generation is None:
        call.store.delete(call.bucket, call.key, call.condition())
        return Response(204)

    def pick(info: ObjectInfo) -> bool:
        return info.generation == generation

    condition = call.condition()
    versions = call.store.versions
    if versions.delete(call.bucket, call.key, pick, condition, promote=False) is None:
        raise NoSuchKeyError(call.bucket, call.key)
    return Response(204)


def restore(call: GcsCall) -> Response:
    """objects.restore: a soft-deleted version becomes a new live one."""
    generation = call.number("generation")
    if generation is None:
        raise GcsError(400, "required", "Required parameter: generation")
    info = call.store.versions.restore(call.bucket, call.key, generation, call.condition())
    return answer(object_resource(info, call.base))


def move(call: GcsCall) -> Response:
    """objects.move: within a bucket, atomically."""
    bucket, source_key, key = call.names
    source = live(call, bucket, source_key)
    failing = call.condition("ifSource").failing(source)
    if failing:
        raise PreconditionFailedError(bucket, source_key, failing)
    name = (bucket, check_name(key))
    if source_key == key:
        raise invalid("The source and destination objects cannot be the same")
    copies = call.store.copies
    info = copies.copy(source, name, source.properties, call.condition(), moved=True)
    return answer(object_resource(info, call.base))


def rewrite(call: GcsCall) -> Response:
    """objects.rewrite: done in one request, because no bytes are copied."""
    info = _copy(call)
    return answer(
        {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(info.size),
            "objectSize": str(info.size),
            "done": True,
            "resource": object_resource(info, call.base),
        }
    )


def copy(call: GcsCall) -> Response:
    """objects.copy."""
    return answer(object_resource(_copy(call), call.base))


def _copy(call: GcsCall) -> ObjectInfo:
    """Copy an object; the path names source bucket and key, then destination bucket and key."""
    source_bucket, source_key, bucket, key = call.names
    source = live(call, source_bucket, source_key, call.number("sourceGeneration"))
    failing = call.condition("ifSource").failing(source)
    if failing:
        raise PreconditionFailedError(source_bucket, source_key, failing)
    check_key(call, source, SOURCE_KEY)
    resource, default = call.json(), default_class(call, bucket)
    properties = replace(source.properties, storage_class=default, holds=(), retain_until=0.0)
    if resource:
        properties = _of_content(
            properties_from(resource, properties.content_type, default), properties
        )
    properties = new_object(call, bucket, properties)
    return call.store.copies.copy(source, (bucket, check_name(key)), properties, call.condition())


def compose(call: GcsCall) -> Response:
    """objects.compose: 1 to 32 sources of the same bucket, in order."""
    body = call.json()
    check_compose(body)
    entries = body.get("sourceObjects")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_SOURCES:
        raise invalid(f"The number of source components must be between 1 and {MAX_SOURCES}")
    sources = tuple(_source(call, entry) for entry in entries)
    destination = mapping(body.get("destination"), "destination")
    default = default_class(call, call.bucket)
    properties = properties_from(destination, sources[0].properties.content_type, default)
    for source in sources:
        check_key(call, source)
    properties = new_object(call, call.bucket, properties)
    name = (call.bucket, check_name(call.key))
    info = call.store.copies.compose(sources, name, properties, call.condition())
    return answer(object_resource(info, call.base))


def _source(call: GcsCall, entry: Any) -> ObjectInfo:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise invalid("Each of sourceObjects needs a name")
    info = live(call, call.bucket, entry["name"], _number(entry.get("generation")))
    conditions = mapping(entry.get("objectPreconditions"), "objectPreconditions")
    generation = _number(conditions.get("ifGenerationMatch"))
    if Precondition(generation=generation).failing(info):
        raise PreconditionFailedError(info.bucket, info.key, "ifGenerationMatch")
    return info


def _number(value: Any) -> int | None:
    """Parse a 64-bit number, which JSON carries as text."""
    if value is None:
        return None
    generation = number(str(value))
    if generation is None:
        raise invalid("Invalid value for a generation")
    return generation
