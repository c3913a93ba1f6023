"""Buckets in the XML API: lists, creation, deletion, and a few settings.

Source: Cloud Storage, "XML API" reference: "List buckets", "List objects", "Create bucket".
"""

from __future__ import annotations

from .....transport.types import Response
from ....pages import decode_token, encode_token
from ...http_util import iso_time
from ...store.listing import after
from ...store.types import ENABLED, BucketInfo, ObjectInfo
from ...xml import MalformedError, document, element, group, parse
from ..buckets import PAGE, is_bucket_name
from ..errors import invalid, not_implemented
from ..fields import check_class
from ..locations import MULTI_REGION, check_location
from ..request import STORAGE_CLASS, GcsCall
from ..settings import applied, has_uniform_access, merged
from .errors import XML
from .objects import quoted_etag


def list_buckets(call: GcsCall) -> Response:
    """List the buckets of a project."""
    project = call.head.headers.get("x-goog-project-id", call.project)
    buckets = [
        group(
            "Bucket",
            element("Name", each.name),
            element("CreationDate", iso_time(each.created)),
        )
        for each in call.store.list_buckets()
        if each.project == project
    ]
    body = document("ListAllMyBucketsResult", group("Buckets", *buckets))
    return Response(200, body, XML)


def create(call: GcsCall) -> Response:
    """Create a bucket in the location and class of its body."""
    if not is_bucket_name(call.bucket):
        raise invalid(f"Invalid bucket name: {call.bucket!r}")
    location, chosen = MULTI_REGION, STORAGE_CLASS
    if call.content.strip():
        try:
            root = parse(call.content, "CreateBucketConfiguration")
        except MalformedError as error:
            raise invalid(f"Malformed CreateBucketConfiguration: {error}") from error
        for child in root:
            if child.tag not in {"LocationConstraint", "StorageClass"}:
                raise not_implemented(child.tag)
        location = root.findtext("LocationConstraint") or location
        chosen = root.findtext("StorageClass") or chosen
    settings = merged({}, {"storageClass": check_class(chosen)})
    call.store.create_bucket(
        call.bucket,
        project=call.head.headers.get("x-goog-project-id", call.project),
        region=check_location(location),
        change=lambda bucket: applied(bucket, settings, bucket.created),
    )
    return Response(200)


def delete(call: GcsCall) -> Response:
    """Delete an empty bucket."""
    call.store.delete_bucket(call.bucket)
    return Response(204)


def head(call: GcsCall) -> Response:
    """Return whether a bucket exists."""
    call.store.get_bucket(call.bucket)
    return Response(200, b"", XML)


def setting(call: GcsCall, name: str) -> Response:
    """Return one of a bucket's settings."""
    bucket = call.store.get_bucket(call.bucket)
    if name == "acl":
        return _acl(bucket)
    if name == "location":
        return Response(200, document("LocationConstraint", bucket.region or MULTI_REGION), XML)
    if name == "storageClass":
        chosen = bucket.settings.get("storageClass", STORAGE_CLASS)
        return Response(200, document("StorageClass", chosen, namespace=False), XML)
    status = element("Status", ENABLED) if bucket.versioning else ""
    return Response(200, document("VersioningConfiguration", status, namespace=False), XML)


def _acl(bucket: BucketInfo) -> Response:
    """Return the access control list of a new bucket: that of its project's owners."""
    if has_uniform_access(bucket.settings):
        message = "Cannot get legacy ACL for a bucket that has uniform bucket-level access."
        raise invalid(message)
    owners = element("ID", f"project-owners-{bucket.project}")
    scope = f'<Scope type="GroupById">{owners}</Scope>'
    entry = group("Entry", scope, element("Permission", "FULL_CONTROL"))
    body = document(
        "AccessControlList", group("Owner", owners), group("Entries", entry), namespace=False
    )
    return Response(200, body, XML)


def list_objects(call: GcsCall) -> Response:
    """List a bucket's objects, in pages by marker or (`list-type=2`) by token."""
    query = call.query
    second = query.get("list-type") == "2"
    limit = min(PAGE if call.number("max-keys") is None else call.number("max-keys") or 0, PAGE)
    page = call.store.list(
        call.bucket,
        query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=_start(call, second=second),
        limit=max(limit, 1),
    )
    more = page.next is not None and limit > 0
    last = max((*(each.key for each in page.objects), *page.prefixes), default="")
    following = encode_token(page.next) if page.next is not None else ""
    body = document(
        "ListBucketResult",
        element("Name", call.bucket),
        element("Prefix", query.get("prefix", "")),
        element("Delimiter", query["delimiter"]) if query.get("delimiter") else "",
        element("Marker", query.get("marker", "")) if not second else "",
        element("MaxKeys", limit),
        element("IsTruncated", more),
        element("NextMarker", last) if more and not second else "",
        element("NextContinuationToken", following) if more and second else "",
        *(_contents(each) for each in page.objects if limit),
        *(group("CommonPrefixes", element("Prefix", each)) for each in page.prefixes if limit),
    )
    return Response(200, body, XML)


def _start(call: GcsCall, *, second: bool) -> str:
    query = call.query
    if not second:
        marker, delimiter = query.get("marker", ""), query.get("delimiter", "")
        if marker and delimiter and marker.endswith(delimiter):
            return f"{marker}\U0010ffff"
        return after(marker) if marker else ""
    try:
        token = decode_token(query.get("continuation-token", ""))
    except ValueError as error:
        raise invalid("Invalid continuation-token") from error
    first = query.get("start-after", "")
    return token or (after(first) if first else "")


def _contents(info: ObjectInfo) -> str:
    return group(
        "Contents",
        element("Key", info.key),
        element("Generation", info.generation),
        element("MetaGeneration", info.metageneration),
        element("LastModified", iso_time(info.updated)),
        element("ETag", quoted_etag(info)),
        element("Size", info.size),
    )
