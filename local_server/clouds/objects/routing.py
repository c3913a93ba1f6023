"""Recognition of S3 and GCS requests that share a port, by what their clients always send."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ...transport.types import Head
from .addressing import is_gcs_host, is_s3_host, names_bucket
from .store.store import ObjectStore

S3_SCOPE = re.compile(r"/s3/aws4_request\b")
S3_PRESIGNED_V2 = re.compile(
    r"(?:^|&)AWSAccessKeyId=.*&Signature=|(?:^|&)Signature=.*&AWSAccessKeyId="
)
GCS_PATH = re.compile(
    r"/(?:(?:upload|download)/)?storage/v1(?:/|$)|/batch/storage/v1(?:/|$)|/b(?:/|$)"
)
"""Node's client leaves `/storage/v1` out with STORAGE_EMULATOR_HOST; no bucket is called `b`."""
GCS_SIGNED = re.compile(r"(?:^|&)(?:X-Goog-Signature|GoogleAccessId|upload_id)=")
OF_EVERY_API = frozenset({
    "x-goog-api-client", "x-goog-api-key", "x-goog-ext", "x-goog-gcs-idempotency-token",
    "x-goog-iam-authority-selector", "x-goog-iam-authorization-token", "x-goog-request-params",
    "x-goog-request-reason", "x-goog-user-project",
})  # fmt: skip
XML_UPLOAD = re.compile(r"(?:^|&)(?:uploads|uploadId=[^&]+)(?:=?(?:&|$))")


def is_s3(head: Head) -> bool:
    """Return whether a request is signed for S3, in its headers or (presigned) in its query.

    A credential scope names its service, so bucket names cannot collide with other routes. Only
    S3 has presigned URLs of the older signature version, boto3's default in us-east-1. A request
    to a host of S3 needs no signature, and one to a host of Cloud Storage is none of S3's:
    its XML API takes AWS's signatures too (Cloud Storage, "Simple migration").
    """
    if is_gcs_host(head.headers.get("host", "")):
        return False
    if S3_SCOPE.search(head.headers.get("authorization", "")):
        return True
    if is_s3_host(head.headers.get("host", "")):
        return True
    if "X-Amz-Credential=" in head.query:
        return bool(S3_SCOPE.search(unquote(head.query)))
    return bool(S3_PRESIGNED_V2.search(head.query))


def is_gcs(head: Head) -> bool:
    """Return whether a request is for GCS: the JSON API by path, the XML API by what it has.

    That is its host, a signature in the query or in the header, or a header of its own. Clients of
    all of Google's APIs send some of these headers too, which therefore do not count.
    """
    if GCS_PATH.match(head.path) or is_gcs_host(head.headers.get("host", "")):
        return True
    if GCS_SIGNED.search(head.query):
        return True
    if head.headers.get("authorization", "").startswith(("GOOG1 ", "GOOG4-")):
        return True
    if any(name.startswith("x-goog-") and name not in OF_EVERY_API for name in head.headers):
        return True
    return "x-goog-api-client" in head.headers and bool(XML_UPLOAD.search(head.query))


class NamedBucket:
    """Recognition of requests that name a bucket of GCS and that no other service takes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def takes(self, head: Head) -> bool:
        """Return whether a request is for an existing bucket of GCS."""
        return names_bucket(head, self._store)
