"""Buckets in host names: `bucket.s3.us-east-1.amazonaws.com`, `bucket.localhost`.

Sources: Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; Cloud Storage, "Request
endpoints".
"""

from __future__ import annotations

import re
from functools import lru_cache

S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?"
)
GCS_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?(?:storage\.googleapis\.com|commondatastorage\.googleapis\.com)"
)
LOCAL_HOST = re.compile(r"(?P<bucket>.{3,})\.localhost")


@lru_cache(maxsize=1024)
def bucket_in(host: str) -> str:
    """Return the bucket that a `Host` header names; "" if the path does."""
    name = _name(host)
    for pattern in (S3_HOST, GCS_HOST, LOCAL_HOST):
        match = pattern.fullmatch(name)
        if match:
            return match["bucket"] or ""
    return ""


def is_s3_host(host: str) -> bool:
    """Return whether a `Host` header is one of S3's."""
    return "amazonaws" in host and S3_HOST.fullmatch(_name(host)) is not None


def is_gcs_host(host: str) -> bool:
    """Return whether a `Host` header is one of Cloud Storage's."""
    return "storage." in host and GCS_HOST.fullmatch(_name(host)) is not None


def _name(host: str) -> str:
    return host.lower().rsplit(":", 1)[0] if host[-1:].isdigit() else host.lower().rstrip(":")
