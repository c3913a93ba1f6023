"""Requests to S3 that nobody signed, and presigned URLs that are too old.

No bucket is public here, as no new bucket of S3 is, so an unsigned request is denied. Sources:
Amazon S3 User Guide, "Blocking public access"; API Reference, "Error responses".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl

from .....transport.types import Head
from ...addressing import names_bucket
from ...http_util import iso_time
from ...store.store import ObjectStore
from ..errors import OLD_SIGNATURE, S3Error
from ..request import KnowsRegion, S3Call
from .posted import CheckSignature, unchecked

CLIENTS = re.compile(r"\b(?:aiobotocore|botocore|boto3|aws-sdk-|aws-cli)", re.IGNORECASE)
V2_HEADER = re.compile(r"AWS [^:\s]+:")
WEEK = 7 * 24 * 3600
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Checks:
    """What is checked of a caller: `anonymous` is whether unsigned requests may do everything."""

    anonymous: bool = True
    form: CheckSignature = unchecked
    knows_region: KnowsRegion = bool
    now: Callable[[], float] = time.time


UNCHECKED = Checks()


class Lifetime(NamedTuple):
    """When a presigned URL ends, and the seconds that it was made for; "" for version 2."""

    ends: datetime
    seconds: str


def check_signed(call: S3Call) -> None:
    """Raise S3Error (AccessDenied) for an unsigned request; NoSuchBucketError if there is none."""
    if is_signed(call.head):
        return
    if call.bucket:
        call.store.get_bucket(call.bucket)
    raise S3Error("AccessDenied", "Access Denied")


def is_signed(head: Head) -> bool:
    """Return whether a request has a signature, in a header or in its query."""
    return "authorization" in head.headers or "Signature=" in head.query


def check_lifetime(head: Head, now: float) -> None:
    """Raise S3Error (AccessDenied) if a presigned URL has expired, whoever signed it."""
    if "Signature=" not in head.query:
        return
    lifetime = _lifetime(dict(parse_qsl(head.query.replace("+", "%2B"))))
    if lifetime is not None and lifetime.seconds:
        _check_week(int(lifetime.seconds))
    if lifetime is None or lifetime.ends.timestamp() >= now:
        return
    detail = {"X-Amz-Expires": lifetime.seconds} if lifetime.seconds else {}
    raise S3Error(
        "AccessDenied",
        "Request has expired",
        **detail,
        Expires=lifetime.ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        ServerTime=iso_time(now),
    )


def _check_week(seconds: int) -> None:
    """Raise S3Error for a URL that is valid for too long, which clients sign without complaint.

    The text is S3's, in aws/aws-cli#5464.
    """
    problem = (
        "must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than"
        f" {WEEK} seconds"
    )
    if not 0 <= seconds <= WEEK:
        text = "must be non-negative" if seconds < 0 else problem
        raise S3Error("AuthorizationQueryParametersError", f"X-Amz-Expires {text}")


def _lifetime(query: dict[str, str]) -> Lifetime | None:
    """Return the lifetime in a query; None if it cannot be read, which a strict check refuses."""
    try:
        if "X-Amz-Signature" in query:
            begins = datetime.strptime(query["X-Amz-Date"], STAMP).replace(tzinfo=UTC)
            seconds = query["X-Amz-Expires"]
            return Lifetime(begins + timedelta(seconds=int(seconds)), seconds)
        return Lifetime(datetime.fromtimestamp(int(query["Expires"]), UTC), "")
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def check_mechanism(head: Head) -> None:
    """Raise S3Error for a header of signature version 2, which no bucket since 2020 takes."""
    if V2_HEADER.match(head.headers.get("authorization", "")):
        raise S3Error("InvalidRequest", OLD_SIGNATURE)


class Unsigned:
    """Recognition of unsigned requests for S3, on a port that other services share."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def takes(self, head: Head) -> bool:
        """Return whether a request that no other service takes is for S3.

        It is if an AWS SDK sends it, or if it names an existing bucket.
        """
        if is_signed(head) and not V2_HEADER.match(head.headers.get("authorization", "")):
            return False
        if any(name.startswith("x-amz-") for name in head.headers):
            return True
        if CLIENTS.search(head.headers.get("user-agent", "")):
            return True
        return names_bucket(head, self._store)
