"""The headers and filters of each S3 operation; any other is refused by name.

Names are those of botocore's service model, which `tests/local_server/clouds/objects` compares with
this table. Accepting a header that this store does not keep would be a false promise.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..store.checksums import ALGORITHMS
from .errors import S3Error
from .request import S3Call

EXPECTED_OWNER = "x-amz-expected-bucket-owner"
EXPECTED_SOURCE_OWNER = "x-amz-source-expected-bucket-owner"
OBJECT_ACL = "bucket-owner-full-control"
OBJECT_ACLS = frozenset({OBJECT_ACL})
"""The ACLs that give the bucket's owner full control and nobody else anything; others are refused.

Source: S3 user guide, "Troubleshooting" of object ownership: every PUT request may have it.
"""
BUCKET_ACLS = OBJECT_ACLS | {"private"}
ACL = "x-amz-acl"
GRANTS = "x-amz-grant-"

COMMON = frozenset({
    EXPECTED_OWNER,
    "x-amz-request-payer",
    # Headers of the protocol, not of an operation.
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-request-id",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
})  # fmt: skip

_OF_NEW_OBJECTS = frozenset({
    ACL,
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-tagging",
})  # fmt: skip
_OF_SOURCES = frozenset({
    EXPECTED_SOURCE_OWNER,
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
})  # fmt: skip
_OF_LISTINGS = frozenset({"x-amz-optional-object-attributes"})

HEADERS: Mapping[str, frozenset[str]] = {
    "CreateBucket": frozenset({ACL}),
    "ListObjects": _OF_LISTINGS,
    "ListObjectsV2": _OF_LISTINGS,
    "ListObjectVersions": _OF_LISTINGS,
    "GetObject": frozenset({"x-amz-checksum-mode"}),
    "HeadObject": frozenset({"x-amz-checksum-mode"}),
    "GetObjectAttributes": frozenset(
        {
            "x-amz-max-parts",
            "x-amz-object-attributes",
            "x-amz-part-number-marker",
        }
    ),
    "PutObject": _OF_NEW_OBJECTS,
    "CopyObject": _OF_NEW_OBJECTS
    | _OF_SOURCES
    | {"x-amz-metadata-directive", "x-amz-tagging-directive"},
    "CreateMultipartUpload": _OF_NEW_OBJECTS | {"x-amz-checksum-algorithm", "x-amz-checksum-type"},
    "UploadPartCopy": _OF_SOURCES | {"x-amz-copy-source-range"},
    "CompleteMultipartUpload": frozenset({"x-amz-checksum-type", "x-amz-mp-object-size"}),
}
"""By operation, the `x-amz-` headers it supports besides COMMON and checksums."""

NEUTRAL: Mapping[str, frozenset[str]] = {
    "x-amz-bucket-object-lock-enabled": frozenset({"false"}),
    "x-amz-bypass-governance-retention": frozenset({"false"}),
    "x-amz-object-ownership": frozenset({"BucketOwnerEnforced"}),
}
"""Unsupported headers, with the values that agree with what this store does anyway."""

REFUSED_QUERY: Mapping[str, frozenset[str]] = {
    "ListMultipartUploads": frozenset({"delimiter"}),
}
"""Query parameters of unsupported features; S3 ignores unknown parameters."""

_WITH_METADATA = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_CHECKSUMS = frozenset(f"x-amz-checksum-{name}" for name in ALGORITHMS)


def check_fields(call: S3Call, operation: str) -> None:
    """Refuse a header or parameter that the operation does not support; raises S3Error."""
    supported = COMMON | HEADERS.get(operation, frozenset())
    for name, value in call.head.headers.items():
        if name.startswith(GRANTS):
            raise _acl_refused(operation)
        if name.startswith("x-amz-") and not _is_supported(operation, name, value, supported):
            raise _not_implemented(name)
    for name in REFUSED_QUERY.get(operation, frozenset()) & call.query.keys():
        raise _not_implemented(name)
    neutral = BUCKET_ACLS if operation == "CreateBucket" else OBJECT_ACLS
    if call.head.headers.get(ACL, OBJECT_ACL) not in neutral:
        raise _acl_refused(operation)
    check_owners(call)


def _is_supported(operation: str, name: str, value: str, taken: frozenset[str]) -> bool:
    if name.startswith("x-amz-meta-"):
        return operation in _WITH_METADATA
    return name in taken or name in _CHECKSUMS or value in NEUTRAL.get(name, frozenset())


def check_owners(call: S3Call) -> None:
    """Refuse a request that expects another owner of its bucket or of a copy's source."""
    for name in (EXPECTED_OWNER, EXPECTED_SOURCE_OWNER):
        expected = call.header(name)
        if expected is None or expected == call.account:
            continue
        if len(expected) != len(call.account) or not expected.isdecimal():
            message = "The value of the expected bucket owner parameter must be an AWS account ID"
            raise S3Error("InvalidBucketOwnerAWSAccountID", message)
        if name == EXPECTED_OWNER:
            call.store.get_bucket(call.bucket)
        raise S3Error("AccessDenied", "Access Denied")


def _not_implemented(name: str) -> S3Error:
    message = (
        f"A header or a query you provided implies functionality that is not implemented: {name}"
    )
    return S3Error("NotImplemented", message, Header=name)


def _acl_refused(operation: str) -> S3Error:
    """Return the error of buckets created since April 2023, whose ACLs are disabled."""
    if operation == "CreateBucket":
        message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        return S3Error("InvalidBucketAclWithObjectOwnership", message)
    return S3Error("AccessControlListNotSupported", "The bucket does not allow ACLs")
