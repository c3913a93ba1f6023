"""S3's settings of buckets, as a new bucket has them: the service's defaults, or "not configured".

No setting but versioning can be changed here: a policy that is kept and not applied would let a
rehearsal pass where the cloud refuses. Sources: Amazon S3 API Reference, "Error responses"; User
Guide, "Blocking public access", "Default encryption", "Disabling ACLs" (the defaults since 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....transport.types import Response
from ..xml import document, element, group
from .errors import XML, S3Error
from .request import S3Call
from .versions import chosen, version_header

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'

UNSET: Mapping[str, tuple[str, str, str]] = {
    "cors": ("GetBucketCors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle": (
        "GetBucketLifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "object-lock": (
        "GetObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "policy": ("GetBucketPolicy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
    "policyStatus": (
        "GetBucketPolicyStatus",
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
    ),
    "replication": (
        "GetBucketReplication",
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "tagging": ("GetBucketTagging", "NoSuchTagSet", "The TagSet does not exist"),
    "website": (
        "GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
}
"""By sub-resource: the operation that reads it, and the error for a bucket that has none."""

_ENCRYPTION = group(
    "Rule",
    group("ApplyServerSideEncryptionByDefault", element("SSEAlgorithm", "AES256")),
    element("BucketKeyEnabled", content=False),
)
_BLOCKED = "".join(
    element(name, content=True)
    for name in (
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    )
)
DEFAULTS: Mapping[str, tuple[str, str, str]] = {
    "accelerate": ("GetBucketAccelerateConfiguration", "AccelerateConfiguration", ""),
    "encryption": ("GetBucketEncryption", "ServerSideEncryptionConfiguration", _ENCRYPTION),
    "logging": ("GetBucketLogging", "BucketLoggingStatus", ""),
    "notification": ("GetBucketNotificationConfiguration", "NotificationConfiguration", ""),
    "ownershipControls": (
        "GetBucketOwnershipControls",
        "OwnershipControls",
        group("Rule", element("ObjectOwnership", "BucketOwnerEnforced")),
    ),
    "publicAccessBlock": ("GetPublicAccessBlock", "PublicAccessBlockConfiguration", _BLOCKED),
    "requestPayment": (
        "GetBucketRequestPayment",
        "RequestPaymentConfiguration",
        element("Payer", "BucketOwner"),
    ),
}
"""By sub-resource: the operation that reads it, its document's name, and its content by default."""


def unset(name: str) -> Callable[[S3Call], Response]:
    """Return the operation that reads a setting that no bucket has here."""
    _, code, message = UNSET[name]

    def refuse(call: S3Call) -> Response:
        call.store.get_bucket(call.bucket)
        raise S3Error(code, message, BucketName=call.bucket)

    return refuse


def default(name: str) -> Callable[[S3Call], Response]:
    """Return the operation that reads a setting with a default."""
    _, root, content = DEFAULTS[name]

    def answer(call: S3Call) -> Response:
        call.store.get_bucket(call.bucket)
        return Response(200, document(root, content), XML)

    return answer


def get_bucket_acl(call: S3Call) -> Response:
    """GetBucketAcl: the owner has full control, and nobody else any."""
    call.store.get_bucket(call.bucket)
    return Response(200, _acl(call.account), XML)


def get_object_acl(call: S3Call) -> Response:
    """GetObjectAcl: that of every object in a bucket without ACLs."""
    info = chosen(call)
    return Response(200, _acl(call.account), XML, version_header(call, info))


def _acl(account: str) -> bytes:
    owner = element("ID", account) + element("DisplayName", account)
    grant = f"<Grantee {XSI}>{owner}</Grantee>" + element("Permission", "FULL_CONTROL")
    lists = group("AccessControlList", group("Grant", grant))
    return document("AccessControlPolicy", group("Owner", owner), lists)


def get_retention(call: S3Call) -> Response:
    """GetObjectRetention, GetObjectLegalHold: refused for a bucket without Object Lock."""
    chosen(call)
    raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
