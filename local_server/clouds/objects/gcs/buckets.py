"""GCS's operations on buckets, and objects.list."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....transport.types import Response
from ...pages import decode_token, encode_token
from ..http_util import number
from ..store.errors import PreconditionFailedError
from ..store.types import BucketInfo, ObjectInfo, State
from ..store.versions import VersionQuery
from .errors import GcsError, invalid
from .fields import check_acls, check_bucket
from .globs import glob_pattern
from .locations import MULTI_REGION, check_location
from .request import GcsCall, answer
from .resources import bucket_resource, object_resource
from .settings import KEPT, Settings, applied, has_uniform_access, merged

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)
_RESERVED = re.compile(r"\d+\.\d+\.\d+\.\d+|goog.*|.*(?:google|g00gle).*|.*[.]{2}.*")
_LONGEST_PART = 63
"""Source: Cloud Storage, "Bucket naming guidelines": a name with dots has up to 222 characters,
each part up to 63 as in a DNS name; no IP address; no prefix `goog`; no `google` or a close
misspelling of it.
"""
_PART = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)
PAGE = 1000


def insert(call: GcsCall) -> Response:
    """buckets.insert."""
    resource = call.json()
    check_bucket(resource)
    name = resource.get("name")
    if not isinstance(name, str) or not is_bucket_name(name):
        raise invalid(f"Invalid bucket name: {name!r}")
    project = _project(call)
    location = check_location(resource.get("location", MULTI_REGION))
    settings = merged({}, resource)
    check_acls(call.query, uniform=has_uniform_access(settings))
    bucket = call.store.create_bucket(
        name,
        project=project,
        region=location,
        change=lambda bucket: applied(bucket, settings, bucket.created),
    )
    return answer(bucket_resource(bucket, call.base))


def _project(call: GcsCall) -> str:
    """Return the project in the query; raises GcsError if there is none."""
    project = call.query.get("project")
    if not project:
        raise GcsError(400, "required", "Required parameter: project")
    return project


def is_bucket_name(name: str) -> bool:
    """Return whether a bucket may have this name."""
    if not BUCKET_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        return False
    parts = name.split(".")
    return all(len(part) <= _LONGEST_PART and _PART.fullmatch(part) for part in parts)


def get(call: GcsCall) -> Response:
    """buckets.get."""
    bucket = call.store.get_bucket(call.bucket)
    if call.condition().metageneration_not == bucket.metageneration:
        return Response(304)
    _check(call, bucket)
    return answer(bucket_resource(bucket, call.base))


def patch(call: GcsCall) -> Response:
    """buckets.patch: merges settings."""
    return _update(call, merged)


def update(call: GcsCall) -> Response:
    """buckets.update: replaces all settings."""
    return _update(call, lambda _, changes: merged({}, changes))


def _update(call: GcsCall, change: Callable[[Settings, Settings], Settings]) -> Response:
    changes = call.json()
    check_bucket(changes)

    def changed(bucket: BucketInfo) -> BucketInfo:
        _check(call, bucket)
        for name, here in (("name", bucket.name), ("location", bucket.region)):
            if str(changes.get(name, here)).upper() != here.upper():
                raise invalid(f"Invalid argument: {name} cannot be changed")
        settings = change(bucket.settings, changes)
        kept = {name: bucket.settings[name] for name in KEPT & bucket.settings.keys()}
        return applied(bucket, {**settings, **kept}, time.time())

    return answer(bucket_resource(call.store.update_bucket(call.bucket, changed), call.base))


def _check(call: GcsCall, bucket: BucketInfo) -> None:
    """Raise PreconditionFailedError unless the bucket fulfils the conditions in the query."""
    condition, now = call.condition(), bucket.metageneration
    if condition.metageneration not in {None, now} or condition.metageneration_not == now:
        raise PreconditionFailedError(bucket.name, "", "ifMetagenerationMatch")


def list_buckets(call: GcsCall) -> Response:
    """buckets.list: a project's buckets, sorted by name, in pages."""
    prefix, project = call.query.get("prefix", ""), _project(call)
    start = _start(call)
    most = min(call.number("maxResults") or PAGE, PAGE)
    buckets = [
        each
        for each in call.store.list_buckets()
        if each.name.startswith(prefix) and each.project == project and each.name >= start
    ]
    body: dict[str, Any] = {"kind": "storage#buckets"}
    if buckets:
        body["items"] = [bucket_resource(each, call.base) for each in buckets[:most]]
    if buckets[most:]:
        body["nextPageToken"] = encode_token(buckets[most].name)
    return answer(body)


def storage_layout(call: GcsCall) -> Response:
    """buckets.getStorageLayout: gcsfs asks it whether a bucket has folders; none has here."""
    bucket = bucket_resource(call.store.get_bucket(call.bucket), call.base)
    return answer(
        {
            "kind": "storage#storageLayout",
            "bucket": call.bucket,
            "location": bucket["location"],
            "locationType": bucket["locationType"],
            "hierarchicalNamespace": {"enabled": False},
        }
    )


def delete(call: GcsCall) -> Response:
    """buckets.delete: refused while the bucket has objects."""
    _check(call, call.store.get_bucket(call.bucket))
    call.store.delete_bucket(call.bucket)
    return Response(204)


def list_objects(call: GcsCall) -> Response:
    """objects.list: objects and prefixes together, sorted by name, in pages."""
    if call.flag("versions") or call.flag("softDeleted"):
        return list_versions(call)
    query = call.query
    start = _start(call)
    page = call.store.list(
        call.bucket,
        query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=max(start, query.get("startOffset", "")),
        limit=_limit(call),
        accept=accepted(query),
    )
    following = None if page.next is None else encode_token(page.next)
    return _listing(call, page.objects, page.prefixes, following)


def list_versions(call: GcsCall) -> Response:
    """objects.list with noncurrent versions, or with soft-deleted ones alone."""
    query = call.query
    soft = call.flag("softDeleted")
    if soft and call.flag("versions"):
        raise invalid("softDeleted and versions cannot both be true")
    page = call.store.versions.list(
        VersionQuery(
            call.bucket,
            query.get("prefix", ""),
            query.get("delimiter", ""),
            _after(call),
            _limit(call),
            (State.SOFT_DELETED,) if soft else (State.LIVE, State.NONCURRENT),
            oldest_first=True,
            accept=accepted(query),
        )
    )
    following = None
    if page.next:
        key, generation = page.next
        following = encode_token(f"{generation}:{key}")
    return _listing(call, page.versions, page.prefixes, following)


def accepted(query: Mapping[str, str]) -> Callable[[str], bool]:
    """Return the function that returns whether a name is listed; raises GcsError."""
    matches = re.compile(glob_pattern(query["matchGlob"])) if query.get("matchGlob") else None
    first, end = query.get("startOffset", ""), query.get("endOffset", "")

    def accept(name: str) -> bool:
        within = name >= first and (not end or name < end)
        return within and (matches is None or matches.fullmatch(name) is not None)

    return accept


def _limit(call: GcsCall) -> int:
    return min(call.number("maxResults") or PAGE, PAGE)


def _listing(
    call: GcsCall, objects: Sequence[ObjectInfo], prefixes: Sequence[str], following: str | None
) -> Response:
    body: dict[str, Any] = {"kind": "storage#objects"}
    if following:
        body["nextPageToken"] = following
    if prefixes:
        body["prefixes"] = prefixes
    listed = [*objects, *_folders(call, prefixes)]
    if listed:
        listed.sort(key=lambda each: (each.key, each.generation))
        body["items"] = [object_resource(each, call.base) for each in listed]
    return answer(body)


def _folders(call: GcsCall, prefixes: Sequence[str]) -> list[ObjectInfo]:
    """Return the objects that end in the delimiter, if the listing includes them."""
    if not call.flag("includeTrailingDelimiter"):
        return []
    found = (call.store.find(call.bucket, each) for each in prefixes)
    return [each for each in found if each]


def _after(call: GcsCall) -> tuple[str, int] | None:
    """Return the entry that a page of versions begins after; raises GcsError."""
    token = call.query.get("pageToken")
    if not token:
        return None
    generation, _, key = _start(call).partition(":")
    place = number(generation)
    if place is None:
        raise invalid("Invalid page token")
    return key, place


def _start(call: GcsCall) -> str:
    """Return the name that the requested page starts at; raises GcsError."""
    try:
        return decode_token(call.query.get("pageToken", ""))
    except ValueError as error:
        raise invalid("Invalid page token") from error
