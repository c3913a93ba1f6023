"""Recognition of S3 and GCS requests that share a port, by what their clients always send."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ...transport.types import Head
from .addressing import is_gcs_host, is_s3_host

S3_SCOPE = re.compile(r"/s3/aws4_request\b")
S3_PRESIGNED_V2 = re.compile(
    r"(?:^|&)AWSAccessKeyId=.*&Signature=|(?:^|&)Signature=.*&AWSAccessKeyId="
)
GCS_PATH = re.compile(r"/(?:(?:upload|download)/)?storage/v1(?:/|$)|/batch/storage/v1(?:/|$)")
XML_UPLOAD = re.compile(r"(?:^|&)(?:uploads|uploadId=[^&]+)(?:=?(?:&|$))")


def is_s3(head: Head) -> bool:
    """Return whether a request is signed for S3, in its headers or (presigned) in its query.

    A credential scope names its service, so bucket names cannot collide with other routes. Only
    S3 has presigned URLs of the older signature version, boto3's default in us-east-1. A request
    to a host of S3 needs no signature.
    """
    if S3_SCOPE.search(head.headers.get("authorization", "")):
        return True
    if is_s3_host(head.headers.get("host", "")):
        return True
    if "X-Amz-Credential=" in head.query:
        return bool(S3_SCOPE.search(unquote(head.query)))
    return bool(S3_PRESIGNED_V2.search(head.query))


def is_gcs(head: Head) -> bool:
    """Return whether a request is for GCS: by host, JSON API by path, XML uploads by client."""
    if GCS_PATH.match(head.path) or is_gcs_host(head.headers.get("host", "")):
        return True
    return "x-goog-api-client" in head.headers and bool(XML_UPLOAD.search(head.query))
