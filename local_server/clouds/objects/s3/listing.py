"""S3's ListObjectsV2 and ListObjects."""

from __future__ import annotations

from ....transport.types import Response
from ...pages import encode_token
from ..http_util import iso_time
from ..store.listing import after, beyond
from ..store.types import Listing, ObjectInfo
from ..xml import document, element, group, quoted
from .buckets import owner_of
from .errors import XML
from .request import Encode, S3Call, encoding, from_token, number_in

MAX_KEYS = 1000


def list_objects_v2(call: S3Call) -> Response:
    """ListObjectsV2: pages by continuation token, or from `start-after`."""
    query = call.query
    token, start_after = query.get("continuation-token"), query.get("start-after", "")
    start = from_token(token) if token is not None else after(start_after) if start_after else ""
    page = _page(call, start)
    encode = encoding(call)
    body = document(
        "ListBucketResult",
        *_shared(call, page, encode),
        element("KeyCount", len(page.objects) + len(page.prefixes)),
        element("StartAfter", encode(start_after)) if start_after else "",
        element("ContinuationToken", token) if token is not None else "",
        element("NextContinuationToken", encode_token(page.next)) if page.next is not None else "",
        *_entries(page, encode, owner_of(call) if query.get("fetch-owner") == "true" else ""),
    )
    return Response(200, body, XML)


def list_objects_v1(call: S3Call) -> Response:
    """ListObjects: pages by marker; a marker that is a common prefix skips all keys below it."""
    marker, delimiter = call.query.get("marker", ""), call.query.get("delimiter", "")
    start: str | None = after(marker) if marker else ""
    if marker and delimiter and marker.endswith(delimiter):
        start = beyond(marker)
    page = _page(call, start) if start is not None else Listing((), ())
    encode = encoding(call)
    last = max((*(each.key for each in page.objects), *page.prefixes), default="")
    body = document(
        "ListBucketResult",
        *_shared(call, page, encode),
        element("Marker", encode(marker)),
        element("NextMarker", encode(last)) if page.next is not None else "",
        *_entries(page, encode, owner_of(call)),
    )
    return Response(200, body, XML)


def _page(call: S3Call, start: str) -> Listing:
    limit = number_in(call.query, "max-keys", MAX_KEYS, MAX_KEYS)
    page = call.store.list(
        call.bucket,
        call.query.get("prefix", ""),
        delimiter=call.query.get("delimiter", ""),
        start=start,
        limit=limit,
    )
    return page if limit else Listing((), ())


def _shared(call: S3Call, page: Listing, encode: Encode) -> list[str]:
    query = call.query
    return [
        element("Name", call.bucket),
        element("Prefix", encode(query.get("prefix", ""))),
        element("Delimiter", encode(query["delimiter"])) if query.get("delimiter") else "",
        element("MaxKeys", number_in(query, "max-keys", MAX_KEYS, MAX_KEYS)),
        element("EncodingType", query["encoding-type"]) if "encoding-type" in query else "",
        element("IsTruncated", page.next is not None),
    ]


def _entries(page: Listing, encode: Encode, owner: str) -> list[str]:
    return [
        *(_contents(each, encode, owner) for each in page.objects),
        *(group("CommonPrefixes", element("Prefix", encode(each))) for each in page.prefixes),
    ]


def _contents(info: ObjectInfo, encode: Encode, owner: str) -> str:
    algorithm = info.properties.checksum.partition(":")[0]
    return group(
        "Contents",
        element("Key", encode(info.key)),
        element("LastModified", iso_time(info.updated)),
        element("ETag", quoted(info.etag)),
        element("ChecksumAlgorithm", algorithm.upper()) if algorithm else "",
        element("Size", info.size),
        element("StorageClass", info.properties.storage_class),
        owner,
    )
