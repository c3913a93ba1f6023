"""GCS's bucket calls."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from ...transport.types import Response
from .errors import PreconditionFailedError
from .gcs_call import GcsCall, answer
from .gcs_errors import GcsError, invalid
from .gcs_resources import bucket_resource, object_resource

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)
PAGE = 1000
MULTI_REGION = "US"


def insert(call: GcsCall) -> Response:
    """buckets.insert."""
    resource = call.json()
    name = resource.get("name")
    if not isinstance(name, str) or not BUCKET_NAME.fullmatch(name):
        raise invalid(f"Invalid bucket name: {name!r}")
    location = resource.get("location", MULTI_REGION)
    if not isinstance(location, str):
        raise invalid("Invalid value for location")
    project = call.query.get("project", call.project)
    bucket = call.store.create_bucket(name, project=project, region=location.upper())
    return answer(bucket_resource(bucket, call.base))


def get(call: GcsCall) -> Response:
    """buckets.get."""
    return answer(bucket_resource(call.store.get_bucket(call.bucket), call.base))


def list_buckets(call: GcsCall) -> Response:
    """buckets.list: a project's, on one page."""
    prefix, project = call.query.get("prefix", ""), call.query.get("project", call.project)
    buckets = [
        bucket_resource(each, call.base)
        for each in call.store.list_buckets()
        if each.name.startswith(prefix) and each.project == project
    ]
    return answer({"kind": "storage#buckets", **({"items": buckets} if buckets else {})})


def delete(call: GcsCall) -> Response:
    """buckets.delete: refused while it has objects; a bucket's metageneration is always 1."""
    condition = call.condition()
    if condition.metageneration not in {None, 1} or condition.metageneration_not == 1:
        raise PreconditionFailedError(call.bucket, "", "ifMetagenerationMatch")
    call.store.delete_bucket(call.bucket)
    return Response(204)


def list_objects(call: GcsCall) -> Response:
    """objects.list: in name order, by pages of objects and prefixes together."""
    query = call.query
    if "matchGlob" in query:
        raise GcsError(501, "notImplemented", "Not implemented: matchGlob")
    start = _from_token(query["pageToken"]) if query.get("pageToken") else ""
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
        body["nextPageToken"] = base64.urlsafe_b64encode(page.next.encode()).decode()
    if prefixes:
        body["prefixes"] = prefixes
    if objects:
        body["items"] = [object_resource(each, call.base) for each in objects]
    return answer(body)


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("Invalid page token") from error
