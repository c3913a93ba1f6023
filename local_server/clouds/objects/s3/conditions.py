"""Preconditions of S3's reads, copies and deletes (RFC 9110 13; CopyObject, API reference)."""

from __future__ import annotations

from ..http_util import parse_http_date
from ..store.errors import NoSuchKeyError
from ..store.types import ObjectInfo, Precondition
from .errors import S3Error
from .request import S3Call


def check_unchanged(call: S3Call, info: ObjectInfo, prefix: str = "") -> None:
    """Refuse a request whose If-Match fails or, if it has none, its If-Unmodified-Since."""
    match = call.header(f"{prefix}if-match")
    check(info, call, Precondition(match=match))
    since = parse_http_date(call.header(f"{prefix}if-unmodified-since") or "")
    if match is None and since is not None and int(info.updated) > since:
        raise failed("If-Unmodified-Since")


def is_unchanged(call: S3Call, info: ObjectInfo, prefix: str = "") -> bool:
    """Return whether If-None-Match or, if absent, If-Modified-Since yields 304 Not Modified."""
    none_match = call.header(f"{prefix}if-none-match")
    if none_match is not None:
        return Precondition(none_match=none_match).failing(info) is not None
    since = parse_http_date(call.header(f"{prefix}if-modified-since") or "")
    return since is not None and int(info.updated) <= since


def check(info: ObjectInfo | None, call: S3Call, condition: Precondition) -> None:
    """Refuse a request whose condition does not hold for the object; raises S3Error."""
    if info is None and condition.match is not None:
        raise NoSuchKeyError(call.bucket, call.key)
    failing = condition.failing(info)
    if failing:
        raise failed(failing)


def failed(condition: str) -> S3Error:
    """Return the error for a failed condition."""
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error("PreconditionFailed", message, Condition=condition)
