"""S3's errors: code, status and XML (Amazon S3 API Reference, "Error responses")."""

from __future__ import annotations

from collections.abc import Mapping

from ....transport.types import Response
from ..store.errors import (
    BucketExistsError,
    BucketNotEmptyError,
    ConflictingDeletionError,
    InvalidPartError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    ObjectStoreError,
    PreconditionFailedError,
    StoreFullError,
)
from ..xml import MalformedError, document, element

XML = "application/xml"

STATUS: Mapping[str, int] = {
    "AccessControlListNotSupported": 400,
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BadRequest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IllegalLocationConstraintException": 400,
    "IllegalVersioningConfigurationException": 400,
    "IncompleteBody": 400,
    "InsufficientStorage": 507,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketAclWithObjectOwnership": 400,
    "InvalidBucketName": 400,
    "InvalidBucketOwnerAWSAccountID": 400,
    "InvalidDigest": 400,
    "InvalidLocationConstraint": 400,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidPolicyDocument": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidStorageClass": 400,
    "InvalidTag": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedPOSTRequest": 400,
    "MalformedXML": 400,
    "MaxMessageLengthExceeded": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "ObjectLockConfigurationNotFoundError": 404,
    "PermanentRedirect": 301,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "SignatureDoesNotMatch": 403,
    "XAmzContentSHA256Mismatch": 400,
}


CODES: Mapping[type[ObjectStoreError], str] = {
    BucketExistsError: "BucketAlreadyOwnedByYou",
    BucketNotEmptyError: "BucketNotEmpty",
    ConflictingDeletionError: "ConditionalRequestConflict",
    NoSuchBucketError: "NoSuchBucket",
    NoSuchKeyError: "NoSuchKey",
    NoSuchUploadError: "NoSuchUpload",
    PreconditionFailedError: "PreconditionFailed",
    StoreFullError: "InsufficientStorage",
}

MESSAGES: Mapping[str, str] = {
    "BucketAlreadyOwnedByYou": (
        "Your previous request to create the named bucket succeeded and you already own it."
    ),
}

OLD_SIGNATURE = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
)
"""Of a request whose signature has version 2."""


class S3Error(ObjectStoreError):
    """A request refused with one of S3's codes; `detail` adds XML elements.

    Without a message, the response has no body.
    """

    def __init__(self, code: str, message: str, **detail: str) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail
        self.headers: Mapping[str, str] = {}


class DeletedError(S3Error):
    """The requested version is a delete marker."""

    def __init__(self, code: str, message: str, headers: Mapping[str, str], **detail: str) -> None:
        super().__init__(code, message, **detail)
        self.headers = headers


def not_implemented(what: str) -> S3Error:
    """Return the error for an S3 feature that this store does not have."""
    return S3Error(
        "NotImplemented",
        "A header or a query you provided implies functionality that is not implemented: " + what,
    )


def malformed(error: MalformedError) -> S3Error:
    """Return the error for a body that cannot be parsed."""
    return S3Error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published "
        f"schema: {error}",
    )


def from_store(error: ObjectStoreError) -> S3Error:
    """Return S3's form of a store's error."""
    if isinstance(error, S3Error):
        return error
    if isinstance(error, InvalidPartError):
        return S3Error(error.code, error.message)
    code = CODES.get(type(error), "InvalidRequest")
    return S3Error(code, MESSAGES.get(code, error.message), **_detail(error))


def _detail(error: ObjectStoreError) -> dict[str, str]:
    match error:
        case NoSuchBucketError() | BucketExistsError() | BucketNotEmptyError():
            return {"BucketName": error.bucket}
        case NoSuchKeyError() | ConflictingDeletionError():
            return {"Key": error.key}
        case PreconditionFailedError():
            return {"Condition": error.condition}
        case _:
            return {}


def render(error: S3Error, resource: str, request_id: str, *, empty: bool) -> Response:
    """Return the response for an error; `empty` for HEAD, whose responses have no body."""
    status = STATUS[error.code]
    headers = {"x-amz-request-id": request_id, **error.headers}
    if "ETag" in error.detail:
        headers["etag"] = error.detail["ETag"]
    if empty or not error.message or status == STATUS["NotModified"]:
        return Response(status, b"", XML if empty else None, headers)
    detail = [element(name, value) for name, value in error.detail.items()]
    body = document(
        "Error",
        element("Code", error.code),
        element("Message", error.message),
        *detail,
        element("Resource", resource),
        element("RequestId", request_id),
        namespace=False,
    )
    return Response(status, body, XML, headers)
