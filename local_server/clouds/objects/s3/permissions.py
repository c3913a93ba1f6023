"""The permissions that S3's operations need, and S3's words for a refusal.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from urllib.parse import unquote

from .errors import S3Error
from .request import S3Call

_OF_BUCKETS: Mapping[str, str] = MappingProxyType(
    {
        "ListBuckets": "s3:ListAllMyBuckets",
        "CreateBucket": "s3:CreateBucket",
        "DeleteBucket": "s3:DeleteBucket",
        "GetBucketLocation": "s3:GetBucketLocation",
        "HeadBucket": "s3:ListBucket",
        "ListObjects": "s3:ListBucket",
        "ListObjectsV2": "s3:ListBucket",
        "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    }
)
_OF_OBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "AbortMultipartUpload": "s3:AbortMultipartUpload",
        "CompleteMultipartUpload": "s3:PutObject",
        "CopyObject": "s3:PutObject",
        "CreateMultipartUpload": "s3:PutObject",
        "DeleteObject": "s3:DeleteObject",
        "DeleteObjectTagging": "s3:DeleteObjectTagging",
        "GetObject": "s3:GetObject",
        "GetObjectTagging": "s3:GetObjectTagging",
        "HeadObject": "s3:GetObject",
        "ListParts": "s3:ListMultipartUploadParts",
        "PutObject": "s3:PutObject",
        "PutObjectTagging": "s3:PutObjectTagging",
        "UploadPart": "s3:PutObject",
        "UploadPartCopy": "s3:PutObject",
    }
)
ACTIONS = frozenset({*_OF_BUCKETS.values(), *_OF_OBJECTS.values()})
"""Every action that an operation needs."""
_READS = ("GetObject", "HeadObject", "GetObjectTagging")


def check_permissions(call: S3Call, operation: str) -> None:
    """Raise S3Error (AccessDenied) if the caller may not perform an operation.

    DeleteObjects is refused key by key (`check_action`).
    """
    for action, resource in _needs(call, operation):
        check_action(call, action, resource)


def check_action(call: S3Call, action: str, resource: str) -> None:
    """Raise S3Error (AccessDenied) if the caller may not perform an action on `BUCKET[/KEY]`."""
    refused = call.refusal(action, f"arn:aws:s3:::{resource}")
    if refused:
        raise S3Error("AccessDenied", refused)


def check_missing(call: S3Call, operation: str) -> None:
    """Raise S3Error (AccessDenied) for a missing object, if the caller may not list its bucket.

    Source: GetObject and HeadObject, "Permissions": without s3:ListBucket the error is 403, not
    404 (boto/botocore and aws/aws-sdk-java#974).
    """
    if operation in _READS:
        check_action(call, "s3:ListBucket", call.bucket)


def _needs(call: S3Call, operation: str) -> Iterator[tuple[str, str]]:
    if operation == "ListBuckets":
        yield _OF_BUCKETS[operation], "*"
    elif operation in _OF_BUCKETS:
        yield _OF_BUCKETS[operation], call.bucket
    elif operation in _OF_OBJECTS:
        yield from _needs_of_object(call, operation)


def _needs_of_object(call: S3Call, operation: str) -> Iterator[tuple[str, str]]:
    source = call.header("x-amz-copy-source")
    if source:
        yield "s3:GetObject", unquote(source).removeprefix("/")
    resource = f"{call.bucket}/{call.key}"
    yield _OF_OBJECTS[operation], resource
    if call.header("x-amz-tagging"):
        yield "s3:PutObjectTagging", resource
