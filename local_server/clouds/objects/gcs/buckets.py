"""GCS's operations on buckets, and objects.list."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ....transport.types import Response
from ...pages import decode_token, encode_token
from ..store.errors import PreconditionFailedError
from ..store.types import BucketInfo
from .errors import invalid
from .fields import check_acls, check_bucket
from .request import GcsCall, answer
from .resources import bucket_resource, object_resource
from .settings import Settings, has_uniform_access, merged

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)
_RESERVED = re.compile(r"\d+\.\d+\.\d+\.\d+|goog.*|.*(?:google|g00gle).*|.*[.]{2}.*")
_LONGEST_PART = 63
"""Source: Cloud Storage, "Bucket naming guidelines": a name with dots has up to 222 characters,
each part up to 63; no IP address; no prefix `goog`; no `google` or a close misspelling of it.
"""
PAGE = 1000
MULTI_REGION = "US"


def insert(call: GcsCall) -> Response:
    """buckets.insert."""
    resource = call.json()
    check_bucket(resource)
    name = resource.get("name")
    if not isinstance(name, str) or not _is_bucket_name(name):
        raise invalid(f"Invalid bucket name: {name!r}")
    location = resource.get("location", MULTI_REGION)
    if not isinstance(location, str):
        raise invalid("Invalid value for location")
    settings = merged({}, resource)
    check_acls(call.query, uniform=has_uniform_access(settings))
    bucket = call.store.create_bucket(
        name,
        project=call.query.get("project", call.project),
        region=location.upper(),
        settings=settings,
    )
    return answer(bucket_resource(bucket, call.base))


def _is_bucket_name(name: str) -> bool:
    if not BUCKET_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        return False
    return all(len(part) <= _LONGEST_PART for part in name.split("."))


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
        return replace(bucket, settings=change(bucket.settings, changes))

    return answer(bucket_resource(call.store.update_bucket(call.bucket, changed), call.base))


def _check(call: GcsCall, bucket: BucketInfo) -> None:
    """Raise PreconditionFailedError unless the bucket fulfils the conditions in the query."""
    condition, now = call.condition(), bucket.metageneration
    if condition.metageneration not in {None, now} or condition.metageneration_not == now:
        raise PreconditionFailedError(bucket.name, "", "ifMetagenerationMatch")


def list_buckets(call: GcsCall) -> Response:
    """buckets.list: a project's buckets, sorted by name, in pages."""
    prefix, project = call.query.get("prefix", ""), call.query.get("project", call.project)
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


def delete(call: GcsCall) -> Response:
    """buckets.delete: refused while the bucket has objects."""
    _check(call, call.store.get_bucket(call.bucket))
    call.store.delete_bucket(call.bucket)
    return Response(204)


def list_objects(call: GcsCall) -> Response:
    """objects.list: objects and prefixes together, sorted by name, in pages."""
    query = call.query
    start = _start(call)
    limit = min(call.number("maxResults") or PAGE, PAGE)
    page = call.store.list(
        call.bucket,
        query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=max(start, query.get("startOffset", "")),
        limit=limit,
    )
    end = query.get("endOffset")
    objects = [each for each in page.objects if not end or each.key < end]
    prefixes = [each for each in page.prefixes if not end or each < end]
    body: dict[str, Any] = {"kind": "storage#objects"}
    if page.next is not None and (not end or page.next < end):
        body["nextPageToken"] = encode_token(page.next)
    if prefixes:
        body["prefixes"] = prefixes
    if objects:
        body["items"] = [object_resource(each, call.base) for each in objects]
    return answer(body)


def _start(call: GcsCall) -> str:
    """Return the name that the requested page starts at; raises GcsError."""
    try:
        return decode_token(call.query.get("pageToken", ""))
    except ValueError as error:
        raise invalid("Invalid page token") from error
