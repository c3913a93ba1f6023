"""GCS's errors: status, reason and JSON.

Source: Cloud Storage JSON API, "HTTP status and error codes".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ....transport.types import Response
from ..http_util import iso_time
from ..store.errors import (
    BucketExistsError,
    BucketNotEmptyError,
    DigestMismatchError,
    HeldError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    ObjectStoreError,
    PreconditionFailedError,
    SessionBusyError,
    StoreFullError,
)

JSON = "application/json; charset=UTF-8"

REASONS: Mapping[type[ObjectStoreError], tuple[int, str]] = {
    BucketExistsError: (409, "conflict"),
    BucketNotEmptyError: (409, "conflict"),
    DigestMismatchError: (400, "invalid"),
    HeldError: (403, "forbidden"),
    NoSuchBucketError: (404, "notFound"),
    NoSuchKeyError: (404, "notFound"),
    NoSuchUploadError: (404, "notFound"),
    PreconditionFailedError: (412, "conditionNotMet"),
    SessionBusyError: (503, "backendError"),
    StoreFullError: (507, "insufficientStorage"),
}


class GcsError(ObjectStoreError):
    """A request refused with one of GCS's reasons."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def invalid(message: str) -> GcsError:
    """Return the error for an invalid request."""
    return GcsError(400, "invalid", message)


def not_implemented(what: str) -> GcsError:
    """Return the error for a GCS feature that this store does not have."""
    return GcsError(501, "notImplemented", f"Not implemented: {what}")


def from_store(error: ObjectStoreError) -> GcsError:
    """Return GCS's form of a store's error."""
    if isinstance(error, GcsError):
        return error
    status, reason = REASONS.get(type(error), (400, "invalid"))
    return GcsError(status, reason, _message(error))


def _message(error: ObjectStoreError) -> str:
    match error:
        case NoSuchBucketError():
            return "The specified bucket does not exist."
        case NoSuchKeyError():
            return f"No such object: {error.bucket}/{error.key}"
        case BucketExistsError():
            return "Your previous request to create the named bucket succeeded and you own it."
        case HeldError():
            return _held(error)
        case PreconditionFailedError():
            return f"{error.message}."
        case _:
            return error.message


def _held(error: HeldError) -> str:
    """Return the service's sentence (its text: treeverse/lakeFS#1339)."""
    name = f"Object '{error.bucket}/{error.key}'"
    if error.hold:
        kind = "Temporary" if error.hold == "temporaryHold" else "Event-Based"
        return (
            f"{name} is under active {kind} hold and cannot be deleted, overwritten or archived"
            " until hold is removed."
        )
    return (
        f"{name} is subject to bucket's retention policy and cannot be deleted, overwritten or"
        f" archived until {iso_time(error.until)}"
    )


def render(error: GcsError) -> Response:
    """Return the response for an error."""
    entry = {"domain": "global", "reason": error.reason, "message": error.message}
    body = {"error": {"code": error.status, "message": error.message, "errors": [entry]}}
    return Response(error.status, msgspec.json.encode(body), JSON)
