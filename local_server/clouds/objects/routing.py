"""Which of one port's requests are for S3, which for GCS: by what their clients always send."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ...transport.types import Head

S3_SCOPE = re.compile(r"/s3/aws4_request\b")
S3_PRESIGNED_V2 = re.compile(
    r"(?:^|&)AWSAccessKeyId=.*&Signature=|(?:^|&)Signature=.*&AWSAccessKeyId="
)
GCS_PATH = re.compile(r"/(?:(?:upload|download)/)?storage/v1(?:/|$)|/batch/storage/v1(?:/|$)")
XML_UPLOAD = re.compile(r"(?:^|&)(?:uploads|uploadId=[^&]+)(?:=?(?:&|$))")


def is_s3(head: Head) -> bool:
    """Tell whether a request is signed for S3, in its headers or, presigned, in its query.

    A credential scope names its service, so that bucket names cannot meet other routes. Presigned
    URLs of the older signature, boto3's default in us-east-1, are S3's alone.
    """
    if S3_SCOPE.search(head.headers.get("authorization", "")):
        return True
    if "X-Amz-Credential=" in head.query:
        return bool(S3_SCOPE.search(unquote(head.query)))
    return bool(S3_PRESIGNED_V2.search(head.query))


def is_gcs(head: Head) -> bool:
    """Tell whether a request is for GCS: its JSON API by path, XML uploads by client and query."""
    if GCS_PATH.match(head.path):
        return True
    return "x-goog-api-client" in head.headers and bool(XML_UPLOAD.search(head.query))
