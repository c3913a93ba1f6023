"""The XML of S3 and of GCS's XML API: small documents built as text, and parsed request bodies."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")


class MalformedError(ValueError):
    """A request's XML cannot be parsed."""


def element(name: str, content: str | int | bool | None) -> str:
    """Return an element with this text."""
    return f"<{name}>{_text(content)}</{name}>"


def group(name: str, *children: str) -> str:
    """Return an element with these child elements."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str, namespace: bool = True) -> bytes:
    """Return a whole document with an XML declaration."""
    declared = f' xmlns="{NAMESPACE}"' if namespace else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{declared}>{"".join(children)}</{name}>'
    return text.encode()


def quoted(etag: str) -> str:
    """Return an ETag in the quotes of headers and documents."""
    return f'"{etag}"'


def initiated(bucket: str, key: str, upload: str) -> bytes:
    """Return the response body of a new multipart upload, in S3 and in GCS's XML API."""
    return document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket),
        element("Key", key),
        element("UploadId", upload),
    )


def _text(content: str | int | bool | None) -> str:
    if content is None:
        return ""
    if isinstance(content, bool):
        return "true" if content else "false"
    # S3 escapes characters that XML 1.0 lacks, too; its SDKs request URL encoding instead.
    return CONTROLS.sub(lambda match: f"&#{ord(match[0])};", escape(str(content)))


def parse(content: bytes, name: str) -> ET.Element:
    """Return a request's root element without its namespace; raises MalformedError."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise MalformedError("a document type is not allowed")
    try:
        root = ET.fromstring(content)  # noqa: S314 entities were refused above
    except (ET.ParseError, ValueError, LookupError) as error:  # the last two: unknown encodings
        raise MalformedError(str(error)) from error
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    if root.tag != name:
        raise MalformedError(f"expected {name}, found {root.tag}")
    return root
