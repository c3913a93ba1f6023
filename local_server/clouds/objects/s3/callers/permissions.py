"""The permissions that S3's operations need, and S3's words for a refusal.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from urllib.parse import unquote

from ..errors import S3Error
from ..request import S3Call

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
        "ListObjectVersions": "s3:ListBucketVersions",
        "GetBucketVersioning": "s3:GetBucketVersioning",
        "PutBucketVersioning": "s3:PutBucketVersioning",
        "GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
        "GetBucketAcl": "s3:GetBucketAcl",
        "GetBucketCors": "s3:GetBucketCORS",
        "GetBucketEncryption": "s3:GetEncryptionConfiguration",
        "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
        "GetBucketLogging": "s3:GetBucketLogging",
        "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
        "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
        "GetBucketPolicy": "s3:GetBucketPolicy",
        "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
        "GetBucketReplication": "s3:GetReplicationConfiguration",
        "GetBucketRequestPayment": "s3:GetBucketRequestPayment",
        "GetBucketTagging": "s3:GetBucketTagging",
        "GetBucketWebsite": "s3:GetBucketWebsite",
        "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
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
        "GetObjectAcl": "s3:GetObjectAcl",
        "GetObjectAttributes": "s3:GetObjectAttributes",
        "GetObjectLegalHold": "s3:GetObjectLegalHold",
        "GetObjectRetention": "s3:GetObjectRetention",
        "GetObjectTagging": "s3:GetObjectTagging",
        "HeadObject": "s3:GetObject",
        "ListParts": "s3:ListMultipartUploadParts",
        "PutObject": "s3:PutObject",
        "PutObjectTagging": "s3:PutObjectTagging",
        "UploadPart": "s3:PutObject",
        "UploadPartCopy": "s3:PutObject",
    }
)
_OF_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "s3:DeleteObject": "s3:DeleteObjectVersion",
        "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
        "s3:GetObject": "s3:GetObjectVersion",
        "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
        "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
        "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
        "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    }
)
"""The action on a version that a request names, by the action on the current one."""
ACTIONS = frozenset({*_OF_BUCKETS.values(), *_OF_OBJECTS.values(), *_OF_VERSIONS.values()})
"""Every action that an operation needs."""
_READS = ("GetObject", "GetObjectAttributes", "HeadObject", "GetObjectTagging")


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
        path, _, version = source.partition("?")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        yield action, unquote(path).removeprefix("/")
    resource = f"{call.bucket}/{call.key}"
    actions = [_OF_OBJECTS[operation]]
    if operation == "GetObjectAttributes":
        actions.append("s3:GetObject")
    for action in actions:
        yield (_OF_VERSIONS.get(action, action) if "versionId" in call.query else action), resource
    if call.header("x-amz-tagging"):
        yield "s3:PutObjectTagging", resource
