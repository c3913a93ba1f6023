"""Limits of S3's sizes, checked before a body is read.

Sources: Amazon S3 User Guide, "Uploading objects" and "Multipart upload limits"; API Reference,
CopyObject, UploadPartCopy and "Error responses"; "Signature calculations for the Authorization
header: transferring payload in multiple chunks", by which the length of an aws-chunked body is that
of the decoded one; apache/arrow-rs-object-store#155 for a PUT without a length, which is refused
even if it has no body.
"""

from __future__ import annotations

from .....transport.types import Head
from ...http_util import number
from ..errors import S3Error
from .aws_chunked import is_framed

MOST_BYTES = 5 << 30
"""Of one request: an object, a part, or the source of a copy."""


def check_length(head: Head) -> None:
    """Refuse a body of unknown length, and one above the limit; raises S3Error."""
    decoded = head.headers.get("x-amz-decoded-content-length")
    if decoded is None and "transfer-encoding" in head.headers:
        raise S3Error(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="Transfer-Encoding",
        )
    length = decoded or (None if is_framed(head.headers) else head.headers.get("content-length"))
    if length is None:
        raise S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.")
    size = number(length)
    if size is not None and size > MOST_BYTES:
        raise S3Error(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=str(size),
            MaxSizeAllowed=str(MOST_BYTES),
        )


def check_copied(size: int) -> None:
    """Refuse a copy of too many bytes in one request; raises S3Error."""
    if size > MOST_BYTES:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy"
            f" source: {MOST_BYTES}",
        )
