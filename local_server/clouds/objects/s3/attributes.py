"""S3's GetObjectAttributes, and reads of one part of a multipart object.

Source: Amazon S3 API Reference, "GetObjectAttributes", "GetObject" (`partNumber`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ....transport.types import Response
from ..http_util import http_date, number
from ..store.types import ObjectInfo, PartSize
from ..store.uploads import MAX_PARTS
from ..xml import document, element, group
from .errors import XML, S3Error
from .request import S3Call
from .uploads.body import checksum_type
from .versions import chosen, version_header

NAMES = frozenset({"Checksum", "ETag", "ObjectParts", "ObjectSize", "StorageClass"})
MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class PartRead:
    """A part's place in its object, and the number of parts; 0 if the object is one piece."""

    span: tuple[int, int]
    count: int
    checksum: str

    def headers(self, *, checksum: bool) -> dict[str, str]:
        """Return the headers about the part."""
        algorithm, _, value = self.checksum.partition(":")
        headers = {f"x-amz-checksum-{algorithm}": value} if checksum and algorithm else {}
        return {**headers, "x-amz-mp-parts-count": str(self.count)} if self.count else headers


def part_of(call: S3Call, info: ObjectInfo) -> PartRead:
    """Return the part that a read names; raises S3Error."""
    text = call.query["partNumber"]
    wanted = number(text)
    if "range" in call.head.headers:
        message = "Cannot specify both Range header and partNumber query parameter"
        raise S3Error("InvalidRequest", message)
    if wanted is None or not 1 <= wanted <= MAX_PARTS:
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise S3Error("InvalidArgument", message, ArgumentName="partNumber", ArgumentValue=text)
    parts = info.properties.parts or (PartSize(1, info.size, info.properties.checksum),)
    offset = 0
    for part in parts:
        if part.number == wanted:
            count = len(info.properties.parts)
            return PartRead((offset, part.size), count, part.checksum)
        offset += part.size
    message = "The requested partnumber is not satisfiable"
    raise S3Error(
        "InvalidPartNumber",
        message,
        PartNumberRequested=text,
        ActualPartCount=str(len(parts)),
    )


def get_attributes(call: S3Call) -> Response:
    """GetObjectAttributes: those that the header names."""
    names = {each.strip() for each in (call.header("x-amz-object-attributes") or "").split(",")} - {
        ""
    }
    if not names or not names <= NAMES:
        message = "Invalid attribute name specified."
        raise S3Error("InvalidArgument", message, ArgumentName="x-amz-object-attributes")
    info = chosen(call)
    body = document(
        "GetObjectAttributesResponse",
        element("ETag", info.etag) if "ETag" in names else "",
        _checksum(info) if "Checksum" in names else "",
        _parts(call, info) if "ObjectParts" in names else "",
        element("StorageClass", info.properties.storage_class) if "StorageClass" in names else "",
        element("ObjectSize", info.size) if "ObjectSize" in names else "",
    )
    headers = {"last-modified": http_date(info.updated), **version_header(call, info)}
    return Response(200, body, XML, headers)


def _checksum(info: ObjectInfo) -> str:
    algorithm, _, value = info.properties.checksum.partition(":")
    if not algorithm:
        return ""
    # Here, and only here, the checksum of the parts' checksums has no number of parts behind it.
    shown = element(f"Checksum{algorithm.upper()}", value.partition("-")[0])
    return group("Checksum", shown, element("ChecksumType", checksum_type(value)))


def _parts(call: S3Call, info: ObjectInfo) -> str:
    """Return the parts; the list of them only if they were uploaded with checksums."""
    parts = info.properties.parts
    if not parts:
        return ""
    if not info.properties.checksum:
        return group("ObjectParts", element("PartsCount", len(parts)))
    first = number(call.header("x-amz-part-number-marker") or "0") or 0
    wanted = number(call.header("x-amz-max-parts") or str(MAX_LISTED))
    most = min(MAX_LISTED if wanted is None else wanted, MAX_LISTED)
    rest = [part for part in parts if part.number > first]
    page = rest[:most]
    return group(
        "ObjectParts",
        element("PartsCount", len(parts)),
        element("PartNumberMarker", first),
        element("NextPartNumberMarker", page[-1].number if page else first),
        element("MaxParts", most),
        element("IsTruncated", len(rest) > most),
        *(_part(part) for part in page),
    )


def _part(part: PartSize) -> str:
    algorithm, _, value = part.checksum.partition(":")
    return group(
        "Part",
        element("PartNumber", part.number),
        element("Size", part.size),
        element(f"Checksum{algorithm.upper()}", value) if algorithm else "",
    )
