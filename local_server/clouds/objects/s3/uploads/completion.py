"""S3's CompleteMultipartUpload, with every checksum that the request may announce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

from .....transport.types import Response
from ...store.checksums import ALGORITHMS, ALWAYS, from_base64, to_base64
from ...store.errors import InvalidPartError
from ...store.types import Blob, ObjectProperties, Part, Upload
from ...store.uploads import choose, multipart_properties
from ...xml import MalformedError, document, element, parse, quoted
from ..errors import XML, S3Error, malformed
from ..request import S3Call, write_condition
from ..versions import version_header
from .body import FULL, checksum_type
from .multipart import upload_of


def complete_upload(call: S3Call) -> Response:
    """CompleteMultipartUpload: joins the named parts, under the conditions of a PutObject.

    With a condition it fails if the object was deleted since the upload began. Source: S3 User
    Guide, "Conditional write behavior" and "Conditional write scenarios".
    """
    upload = upload_of(call)
    condition = write_condition(call.head.headers)
    chosen = _chosen(call, upload)
    algorithm, _, kind = upload.properties.checksum.partition(":")
    _check_type(call, algorithm, kind)
    _check_size(call, sum(part.size for part in chosen))
    blob = call.store.uploads.join(upload, chosen, (algorithm,) if kind == FULL else ())
    checksum = _checksum(call, blob, chosen, algorithm, kind)
    properties = multipart_properties(replace(upload.properties, checksum=checksum), chosen)
    info = call.store.uploads.complete(upload, blob, properties, condition)
    body = document(
        "CompleteMultipartUploadResult",
        element("Location", call.url),
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("ETag", quoted(info.etag)),
        *_checksum_elements(info.properties),
    )
    return Response(200, body, XML, version_header(call, info))


def _check_type(call: S3Call, algorithm: str, kind: str) -> None:
    """Refuse a checksum type that differs from the upload's."""
    for name in ALGORITHMS:
        if name != algorithm and f"x-amz-checksum-{name}" in call.head.headers:
            message = (
                f"Checksum Type mismatch occurred, expected checksum Type: {algorithm or 'null'},"
                f" actual checksum Type: {name}"
            )
            raise S3Error("InvalidRequest", message)
    announced = call.header("x-amz-checksum-type")
    if announced is not None and kind and announced.upper() != kind:
        message = f"The upload was created using the {kind} checksum mode"
        raise S3Error("InvalidRequest", message)


def _check_size(call: S3Call, size: int) -> None:
    announced = call.header("x-amz-mp-object-size")
    if announced is not None and announced != str(size):
        message = (
            f"The provided 'x-amz-mp-object-size' header value {announced} does not match what "
            f"was computed: {size}"
        )
        raise S3Error("InvalidRequest", message)


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
    """Compare the checksums in a completion with those that the parts were uploaded with."""
    for algorithm, value in checksums.items():
        uploaded = _part_checksum(part, algorithm)
        if uploaded is not None and to_base64(uploaded) != value:
            message = "One or more of the specified parts could not be found."
            raise InvalidPartError("InvalidPart", message, part.number)


def _part_checksum(part: Part, algorithm: str) -> bytes | None:
    if algorithm in ALWAYS:
        value: bytes = getattr(part, algorithm)
        return value
    announced, _, text = part.checksum.partition(":")
    return from_base64(text, algorithm) if announced == algorithm else None


def _checksum(call: S3Call, blob: Blob, chosen: Sequence[Part], algorithm: str, kind: str) -> str:
    """Return the value of `ObjectProperties.checksum`, compared with the announced one."""
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
    """Return the checksum of the parts' checksums; empty if a part has none."""
    hasher = ALGORITHMS[algorithm]()
    for part in chosen:
        digest = _part_checksum(part, algorithm)
        if digest is None:
            return ""
        hasher.update(digest)
    return f"{to_base64(hasher.digest())}-{len(chosen)}"


def _checksum_elements(properties: ObjectProperties) -> list[str]:
    algorithm, _, value = properties.checksum.partition(":")
    if not algorithm:
        return []
    return [
        element(f"Checksum{algorithm.upper()}", value),
        element("ChecksumType", checksum_type(value)),
    ]
