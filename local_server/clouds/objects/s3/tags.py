"""S3's object tags: a header at creation, XML afterwards.

Source: Amazon S3 User Guide, "Categorizing your objects using tags".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from ....transport.types import Response
from ..store.types import ObjectProperties
from ..xml import MalformedError, document, element, group, parse
from .errors import XML, S3Error, malformed
from .request import S3Call, properties_from
from .uploads.body import announced_algorithm, verify_content
from .versions import chosen, version_header

HEADER = "x-amz-tagging"
MOST, MOST_KEY, MOST_VALUE = 10, 128, 256
RESERVED = "aws:"
"""The prefix of AWS's own tags; the text of its refusal is thenickdude/snap-to-s3#8's."""


def tags_in(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return a new object's tags from its header; raises S3Error."""
    message = (
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters"
        " without tag name duplicates."
    )
    try:
        pairs = parse_qsl(headers.get(HEADER, ""), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise S3Error("InvalidArgument", message, ArgumentName=HEADER) from error
    if len(dict(pairs)) != len(pairs):
        raise S3Error("InvalidArgument", message, ArgumentName=HEADER)
    return _checked(pairs)


def properties_of(headers: Mapping[str, str], checksum: str = "") -> ObjectProperties:
    """Return the object properties in an upload's headers, with tags; raises S3Error."""
    return replace(properties_from(headers, checksum), tags=tags_in(headers))


def _checked(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    if len(pairs) > MOST:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {MOST}")
    for key, value in pairs:
        if key.lower().startswith(RESERVED):
            message = f"Your TagKey cannot be prefixed with {RESERVED}"
            raise S3Error("InvalidTag", message, TagKey=key)
        if not 0 < len(key) <= MOST_KEY:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > MOST_VALUE:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
    if len(dict(pairs)) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return dict(pairs)


def get_tagging(call: S3Call) -> Response:
    """GetObjectTagging."""
    info = chosen(call)
    tags = info.properties.tags
    entries = [
        group("Tag", element("Key", key), element("Value", value)) for key, value in tags.items()
    ]
    body = document("Tagging", group("TagSet", *entries))
    return Response(200, body, XML, version_header(call, info))


def put_tagging(call: S3Call) -> Response:
    """PutObjectTagging: replaces the tags; the object's date does not change."""
    headers = call.head.headers
    verify_content(call.content, headers, announced_algorithm(headers))
    try:
        entries = parse(call.content, "Tagging").findall("TagSet/Tag")
    except MalformedError as error:
        raise malformed(error) from error
    tags = _checked([(each.findtext("Key", ""), each.findtext("Value", "")) for each in entries])
    return Response(200, b"", headers=_change(call, tags))


def delete_tagging(call: S3Call) -> Response:
    """DeleteObjectTagging."""
    return Response(204, headers=_change(call, {}))


def _change(call: S3Call, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Replace the tags of the requested version, and return its header."""

    def change(properties: ObjectProperties) -> ObjectProperties:
        return replace(properties, tags=tags)

    generation = chosen(call).generation
    info = call.store.update(call.bucket, call.key, change, generation=generation, dated=False)
    return version_header(call, info)
