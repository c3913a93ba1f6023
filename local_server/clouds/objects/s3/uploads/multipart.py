"""S3's open multipart uploads and their parts."""

from __future__ import annotations

from .....transport.types import Response
from ...http_util import iso_time, number
from ...store.checksums import ALGORITHMS
from ...store.types import Part, Upload
from ...store.uploads import MAX_PARTS, after_marker
from ...xml import document, element, group, initiated, quoted
from ..errors import XML, S3Error, not_implemented
from ..request import S3Call, encoding, number_in
from ..tags import properties_of
from .body import COMPOSITE, FULL
from .sizes import check_length

MAX_UPLOADS = 1000


def create_upload(call: S3Call) -> Response:
    """CreateMultipartUpload; its checksum algorithm and type apply to the whole upload."""
    algorithm = (call.header("x-amz-checksum-algorithm") or "").lower()
    if algorithm and algorithm not in ALGORITHMS:
        raise not_implemented(f"the checksum algorithm {algorithm}")
    kind = call.header("x-amz-checksum-type") or (FULL if algorithm == "crc64nvme" else COMPOSITE)
    properties = properties_of(call.head.headers, f"{algorithm}:{kind}" if algorithm else "")
    upload = call.store.uploads.create(call.bucket, call.key, properties)
    body = initiated(call.bucket, call.key, upload.id)
    headers = {
        "x-amz-checksum-algorithm": algorithm.upper(),
        "x-amz-checksum-type": kind,
    }
    return Response(200, body, XML, headers if algorithm else {})


def before_part(call: S3Call) -> None:
    """Refuse an UploadPart that cannot succeed, before its body is read."""
    check_length(call.head)
    upload_of(call)
    part_number(call)


def upload_part(call: S3Call) -> Response:
    """UploadPart: replaces an earlier part with this number."""
    assert call.received is not None
    received = call.received
    part = call.store.uploads.put_part(
        upload_of(call), part_number(call), received.blob, received.checksum
    )
    algorithm, _, value = part.checksum.partition(":")
    headers = {f"x-amz-checksum-{algorithm}": value} if algorithm else {}
    return Response(200, b"", headers={"etag": quoted(part.md5.hex()), **headers})


def upload_of(call: S3Call) -> Upload:
    """Return the upload that a request names; raises NoSuchUploadError."""
    return call.store.uploads.get(call.query["uploadId"], call.bucket, call.key)


def part_number(call: S3Call) -> int:
    """Return the part number in a request; raises S3Error."""
    text = call.query["partNumber"]
    value = number(text)
    if value is None or not 1 <= value <= MAX_PARTS:
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise S3Error("InvalidArgument", message, ArgumentName="partNumber", ArgumentValue=text)
    return value


def abort_upload(call: S3Call) -> Response:
    """AbortMultipartUpload."""
    call.store.uploads.abort(call.query["uploadId"], call.bucket, call.key)
    return Response(204)


def list_parts(call: S3Call) -> Response:
    """ListParts: sorted by number, in pages; clients resume from it."""
    upload = upload_of(call)
    first = number_in(call.query, "part-number-marker", 0, MAX_PARTS)
    most = number_in(call.query, "max-parts", 1000, 1000)
    parts = [part for part in call.store.uploads.parts(upload) if part.number > first]
    page, more = parts[:most], len(parts) > most
    body = document(
        "ListPartsResult",
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("UploadId", upload.id),
        element("PartNumberMarker", first),
        element("NextPartNumberMarker", page[-1].number if page else first),
        element("MaxParts", most),
        element("IsTruncated", more),
        element("StorageClass", upload.properties.storage_class),
        *(_part_element(part) for part in page),
    )
    return Response(200, body, XML)


def _part_element(part: Part) -> str:
    algorithm, _, value = part.checksum.partition(":")
    return group(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", iso_time(part.created)),
        element("ETag", quoted(part.md5.hex())),
        element("Size", part.size),
        element(f"Checksum{algorithm.upper()}", value) if algorithm else "",
    )


def list_uploads(call: S3Call) -> Response:
    """ListMultipartUploads: sorted by key and age, in pages."""
    query = call.query
    prefix, key = query.get("prefix", ""), query.get("key-marker", "")
    encode = encoding(call)
    most = number_in(query, "max-uploads", MAX_UPLOADS, MAX_UPLOADS) or MAX_UPLOADS
    listed = call.store.uploads.list(call.bucket, prefix)
    rest = after_marker(listed, key, query.get("upload-id-marker", "")) if key else listed
    page = rest[:most]
    uploads = [
        group(
            "Upload",
            element("Key", encode(each.key)),
            element("UploadId", each.id),
            element("Initiated", iso_time(each.created)),
            element("StorageClass", each.properties.storage_class),
        )
        for each in page
    ]
    last = page[-1] if page else None
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        element("Prefix", encode(prefix)),
        element("EncodingType", query["encoding-type"]) if "encoding-type" in query else "",
        element("KeyMarker", encode(key)),
        element("UploadIdMarker", query.get("upload-id-marker", "")),
        element("NextKeyMarker", encode(last.key) if last else ""),
        element("NextUploadIdMarker", last.id if last else ""),
        element("MaxUploads", most),
        element("IsTruncated", len(rest) > most),
        *uploads,
    )
    return Response(200, body, XML)
