"""S3's refusals as errors with a hint: the missing permission, the right region, the clock.

Codes: Amazon S3 API Reference, "Error responses"; permissions: Service Authorization Reference,
"Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from cloudserve.errors import RemoteError
from cloudserve.storage.contract import UploadGoneError
from cloudserve.storage.retry import retry_after

from ..error_hints import DENIED as NAMED
from ..error_hints import for_denied
from ..errors import code_of, message_of, status_of, translated

PERMISSIONS: Mapping[str, str] = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CreateBucket": "s3:CreateBucket",
    "DeleteObject": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
}
WRITES = "s3:PutObject"
"""The permission of every other operation: PutObject, UploadPart and their calls."""
OF_BUCKETS = frozenset({"s3:CreateBucket", "s3:ListBucket", "s3:ListBucketMultipartUploads"})
DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403"})
ELSEWHERE = frozenset(
    {
        "301",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
    }
)
DAMAGED = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
"""Codes for bytes that were damaged on the way: they are sent again from the file."""
GARBLED = (FlexibleChecksumError, IncompleteReadError)
"""The exceptions of boto3 for a truncated or damaged answer."""
PASSING = frozenset({408, 429})
"""Statuses of proxies on the way, whose answers have no code of S3's."""


@contextmanager
def s3_translated(what: str, where: str, url: str) -> Iterator[None]:
    """Raise boto3's exceptions as RemoteError with S3's own remedies; `url` is `s3://NAME`."""
    try:
        with translated(what, where):
            try:
                yield
            except ResponseParserError as error:
                raise RemoteError(
                    f"{what}: the answer cannot be read",
                    where=where,
                    hint="try again; a proxy in between may change the answers",
                    retryable=True,
                ) from error
    except RemoteError as error:
        if isinstance(error.__cause__, ClientError):
            _explain(error, error.__cause__, url)
        elif isinstance(error.__cause__, GARBLED):
            error.retryable = True
        raise


def _explain(error: RemoteError, cause: ClientError, url: str) -> None:
    code = code_of(cause)
    headers = cause.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    error.retryable = error.retryable or code in DAMAGED or error.status in PASSING
    error.retry_after = retry_after(headers.get("retry-after"))
    if code == "NoSuchUpload":
        raise UploadGoneError(error.message, where=error.where, status=error.status) from cause
    error.hint = _remedy(code, cause, headers, url) or error.hint


def _remedy(code: str, cause: ClientError, headers: Mapping[str, Any], url: str) -> str | None:
    if code in DENIED:
        return _for_denied(cause, url)
    if code in ELSEWHERE or status_of(cause) == 301:  # noqa: PLR2004 - HTTP's own number
        details = cause.response.get("Error", {})
        region = headers.get("x-amz-bucket-region") or details.get("Region")
        place = f"`{region}`" if region else "another region"
        return f"the bucket {url} is in {place}: set the target's `region` to it"
    if code == "RequestTimeTooSkewed":
        return f"set this machine's clock: the service's says {headers.get('date', 'another time')}"
    if code == "NoSuchBucket":
        return f"make the bucket {url} first, or correct the target's `bucket`"
    return None


def _for_denied(cause: ClientError, url: str) -> str:
    """Return the missing permission: S3's own name for it, or the operation's.

    Of a missing object, S3 refuses a caller without s3:ListBucket, and a HEAD has no reason.
    """
    if NAMED.search(message_of(cause)):
        return for_denied(message_of(cause), cause.operation_name)
    needed = _permission(cause.operation_name, url)
    if cause.operation_name == "HeadObject":
        needed += (
            f", and {_permission('ListObjectsV2', url)}: without it, S3 refuses missing objects"
        )
    return f"allow these credentials {needed}"


def _permission(operation: str, url: str) -> str:
    action = PERMISSIONS.get(operation, WRITES)
    resource = f"arn:aws:s3:::{url.removeprefix('s3://')}"
    return f"{action} on {resource}{'' if action in OF_BUCKETS else '/*'}"
