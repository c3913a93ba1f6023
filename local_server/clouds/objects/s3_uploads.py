"""S3's multipart uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

from ...transport.types import Response
from .checksums import ALGORITHMS, ALWAYS, from_base64, to_base64
from .errors import InvalidPartError
from .nouns import About, Blob, Part, Upload
from .s3_buckets import malformed
from .s3_call import S3Call, about_from, number_in, write_condition
from .s3_errors import XML, S3Error, not_implemented
from .s3_objects import COMPOSITE, FULL, checksum_type, copy_source, quoted
from .s3_xml import MalformedError, document, element, group, initiated, parse
from .uploads import MAX_PARTS, choose, multipart_about
from .wire import UnsatisfiableRangeError, iso_time, number, parse_range


def create_upload(call: S3Call) -> Response:
    """CreateMultipartUpload; the checksum algorithm and type asked for hold for all of it."""
    algorithm = (call.header("x-amz-checksum-algorithm") or "").lower()
    if algorithm and algorithm not in ALGORITHMS:
        raise not_implemented(f"the checksum algorithm {algorithm}")
    kind = call.header("x-amz-checksum-type") or _default_type(algorithm)
    about = about_from(call.head.headers, f"{algorithm}:{kind}" if algorithm else "")
    upload = call.store.uploads.create(call.bucket, call.key, about)
    body = initiated(call.bucket, call.key, upload.id)
    headers = {
        "x-amz-checksum-algorithm": algorithm.upper(),
        "x-amz-checksum-type": kind,
    }
    return Response(200, body, XML, headers if algorithm else {})


def _default_type(algorithm: str) -> str:
    return FULL if algorithm == "crc64nvme" else COMPOSITE


def before_part(call: S3Call) -> None:
    """Refuse an UploadPart that cannot succeed before its body is taken."""
    _upload(call)
    _part_number(call)


def upload_part(call: S3Call) -> Response:
    """UploadPart: replaces the part of this number."""
    assert call.received is not None
    received = call.received
    part = call.store.uploads.put_part(
        _upload(call), _part_number(call), received.blob, received.checksum
    )
    algorithm, _, value = part.checksum.partition(":")
    headers = {f"x-amz-checksum-{algorithm}": value} if algorithm else {}
    return Response(200, b"", headers={"etag": quoted(part.md5.hex()), **headers})


def upload_part_copy(call: S3Call) -> Response:
    """UploadPartCopy: a part from a span of an object."""
    source, upload, number = copy_source(call), _upload(call), _part_number(call)
    wanted = call.header("x-amz-copy-source-range")
    try:
        span = parse_range(wanted, source.size)
    except UnsatisfiableRangeError as error:
        raise S3Error("InvalidRange", "The requested range is not satisfiable") from error
    if wanted and span is None:
        message = "The x-amz-copy-source-range value must be of the form bytes=first-last"
        raise S3Error("InvalidArgument", message)
    blob = call.store.copies.excerpt(source, *(span or (0, source.size)))
    part = call.store.uploads.put_part(upload, number, blob)
    body = document(
        "CopyPartResult",
        element("LastModified", iso_time(part.created)),
        element("ETag", quoted(part.md5.hex())),
    )
    return Response(200, body, XML)


def _upload(call: S3Call) -> Upload:
    return call.store.uploads.get(call.query["uploadId"], call.bucket, call.key)


def _part_number(call: S3Call) -> int:
    text = call.query["partNumber"]
    value = number(text)
    if value is None or not 1 <= value <= MAX_PARTS:
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise S3Error("InvalidArgument", message, ArgumentName="partNumber", ArgumentValue=text)
    return value


def complete_upload(call: S3Call) -> Response:
    """CompleteMultipartUpload: joins the named parts, with the conditions of a PutObject."""
    upload = _upload(call)
    condition = write_condition(call.head.headers)
    chosen = _chosen(call, upload)
    algorithm, _, kind = upload.about.checksum.partition(":")
    blob = call.store.uploads.join(upload, chosen, (algorithm,) if kind == FULL else ())
    checksum = _checksum(call, blob, chosen, algorithm, kind)
    about = multipart_about(replace(upload.about, checksum=checksum), chosen)
    info = call.store.uploads.complete(upload, blob, about, condition)
    body = document(
        "CompleteMultipartUploadResult",
        element("Location", call.url),
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("ETag", quoted(info.etag)),
        *_checksum_elements(info.about),
    )
    return Response(200, body, XML)


def _chosen(call: S3Call, upload: Upload) -> list[Part]:
    try:
        named = [_named_part(each) for each in parse(call.content, "CompleteMultipartUpload")]
    except (MalformedError, ValueError) as error:
        raise malformed(MalformedError(str(error))) from error
    if not named:
        raise malformed(MalformedError("it names no part"))
    parts = {part.number: part for part in call.store.uploads.parts(upload)}
    chosen = choose(parts, [(number, etag) for number, etag, _ in named])
    for part, (_, _, checksums) in zip(chosen, named, strict=True):
        _check_part(part, checksums)
    return chosen


def _named_part(entry: ET.Element) -> tuple[int, str, dict[str, str]]:
    checksums = {
        each.tag.removeprefix("Checksum").lower(): each.text or ""
        for each in entry
        if each.tag.startswith("Checksum")
    }
    return int(entry.findtext("PartNumber", "")), entry.findtext("ETag", "").strip('"'), checksums


def _check_part(part: Part, checksums: Mapping[str, str]) -> None:
    """Compare the checksums a completion repeats with those the parts came with."""
    for algorithm, value in checksums.items():
        known = _part_checksum(part, algorithm)
        if known is not None and to_base64(known) != value:
            message = "One or more of the specified parts could not be found."
            raise InvalidPartError("InvalidPart", message, part.number)


def _part_checksum(part: Part, algorithm: str) -> bytes | None:
    if algorithm in ALWAYS:
        value: bytes = getattr(part, algorithm)
        return value
    announced, _, text = part.checksum.partition(":")
    return from_base64(text, algorithm) if announced == algorithm else None


def _checksum(call: S3Call, blob: Blob, chosen: Sequence[Part], algorithm: str, kind: str) -> str:
    """Return the object's checksum as `About.checksum` has it, compared with the one announced."""
    if not algorithm:
        return ""
    value = to_base64(blob.digests[algorithm]) if kind == FULL else _composite(chosen, algorithm)
    announced = call.header(f"x-amz-checksum-{algorithm}")
    if announced is not None and announced != value:
        name = algorithm.upper()
        message = f"The {name} you specified did not match the calculated checksum."
        raise S3Error("BadDigest", message)
    return f"{algorithm}:{value}" if value else ""


def _composite(chosen: Sequence[Part], algorithm: str) -> str:
    """Return the checksum of the parts' checksums; empty where a part came without one."""
    hasher = ALGORITHMS[algorithm]()
    for part in chosen:
        digest = _part_checksum(part, algorithm)
        if digest is None:
            return ""
        hasher.update(digest)
    return f"{to_base64(hasher.digest())}-{len(chosen)}"


def _checksum_elements(about: About) -> list[str]:
    algorithm, _, value = about.checksum.partition(":")
    if not algorithm:
        return []
    return [
        element(f"Checksum{algorithm.upper()}", value),
        element("ChecksumType", checksum_type(value)),
    ]


def abort_upload(call: S3Call) -> Response:
    """AbortMultipartUpload."""
    call.store.uploads.abort(call.query["uploadId"], call.bucket, call.key)
    return Response(204)


def list_parts(call: S3Call) -> Response:
    """ListParts, by number and in pages: what a client resumes from."""
    upload = _upload(call)
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
    """ListMultipartUploads: all of a bucket's, on one page."""
    prefix = call.query.get("prefix", "")
    uploads = [
        group(
            "Upload",
            element("Key", each.key),
            element("UploadId", each.id),
            element("Initiated", iso_time(each.created)),
            element("StorageClass", "STANDARD"),
        )
        for each in call.store.uploads.list(call.bucket, prefix)
    ]
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        element("Prefix", prefix),
        element("MaxUploads", len(uploads)),
        element("IsTruncated", content=False),
        *uploads,
    )
    return Response(200, body, XML)
