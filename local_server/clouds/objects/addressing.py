"""Buckets in host names: `bucket.s3.us-east-1.amazonaws.com`, `bucket.localhost`.

Sources: Amazon S3 User Guide, "Virtual hosting of general purpose buckets", "Dual-stack endpoints",
"Transfer Acceleration"; AWS General Reference, "Amazon S3 endpoints and quotas"; Cloud Storage,
"Request endpoints".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ...transport.types import Head
from ..hosts import host_name
from .store.errors import NoSuchBucketError
from .store.store import ObjectStore

REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
"""A region's name (botocore's `partitions.json`, `regionRegex`)."""
DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu")
"""The suffixes of the public partitions (botocore's `partitions.json`, `dnsSuffix`)."""
S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3"
    rf"(?:-fips|-external-1|(?P<accelerated>-accelerate)|-(?P<dash>{REGION}))?(?:\.dualstack)?"
    rf"(?:\.(?P<region>{REGION}))?\.(?:{'|'.join(map(re.escape, DOMAINS))})"
)
GCS_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?(?:storage\.googleapis\.com|commondatastorage\.googleapis\.com)"
)
LOCAL_HOST = re.compile(r"(?P<bucket>.{3,})\.localhost")


@dataclass(frozen=True, slots=True)
class S3Host:
    """A host of S3; `bucket` is "" for path-style requests, `region` for the global host."""

    bucket: str
    region: str
    is_accelerated: bool = False


@lru_cache(maxsize=1024)
def s3_host(host: str) -> S3Host | None:
    """Return what a `Host` of S3 names; None for any other host."""
    match = S3_HOST.fullmatch(host_name(host))
    if match is None:
        return None
    region = match["region"] or match["dash"] or ""
    return S3Host(match["bucket"] or "", region, match["accelerated"] is not None)


@lru_cache(maxsize=1024)
def bucket_in(host: str) -> str:
    """Return the bucket that a `Host` header names; "" if the path does."""
    name = host_name(host)
    for pattern in (S3_HOST, GCS_HOST, LOCAL_HOST):
        match = pattern.fullmatch(name)
        if match:
            return match["bucket"] or ""
    return ""


def is_s3_host(host: str) -> bool:
    """Return whether a `Host` header is one of S3's."""
    return "amazonaws" in host.lower() and s3_host(host) is not None


def is_gcs_host(host: str) -> bool:
    """Return whether a `Host` header is one of Cloud Storage's."""
    return "storage." in host.lower() and GCS_HOST.fullmatch(host_name(host)) is not None


def names_bucket(head: Head, store: ObjectStore) -> bool:
    """Return whether a request names an existing bucket, in its host or first in its path."""
    bucket = (
        bucket_in(head.headers.get("host", "")) or head.path.removeprefix("/").partition("/")[0]
    )
    try:
        store.get_bucket(bucket)
    except NoSuchBucketError:
        return False
    return True
