"""The errors of the XML API: code, message and details (Cloud Storage, "Error codes" of XML)."""

from __future__ import annotations

from collections.abc import Mapping

from .....transport.types import Response
from ...store.errors import (
    BucketExistsError,
    BucketNotEmptyError,
    DigestMismatchError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    ObjectStoreError,
)
from ...xml import document, element
from ..errors import GcsError, from_store

XML = "application/xml; charset=UTF-8"
OF_STORE: Mapping[type[ObjectStoreError], str] = {
    BucketExistsError: "BucketAlreadyOwnedByYou",
    BucketNotEmptyError: "BucketNotEmpty",
    DigestMismatchError: "BadDigest",
    NoSuchBucketError: "NoSuchBucket",
    NoSuchKeyError: "NoSuchKey",
    NoSuchUploadError: "NoSuchUpload",
}
OF_STATUS: Mapping[int, str] = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "OperationAborted",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    500: "InternalError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
MESSAGES: Mapping[str, str] = {
    "AccessDenied": "Access denied.",
    "InvalidArgument": "Invalid argument.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "PreconditionFailed": ("At least one of the pre-conditions you specified did not hold."),
}
"""The messages of codes whose particulars are in the details."""


class XmlError(GcsError):
    """A refusal with a code that the JSON API does not have."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(status, code, message)
        self.code = code
        self.details = details


def render(error: ObjectStoreError, *, empty: bool) -> Response:
    """Return the response for an error; `empty` for HEAD, whose responses have no body."""
    translated = from_store(error)
    if isinstance(error, XmlError):
        code, message, details = error.code, error.message, error.details
    else:
        code = OF_STORE.get(type(error)) or OF_STATUS.get(translated.status, "InternalError")
        message = MESSAGES.get(code, translated.message)
        details = translated.message if message != translated.message else ""
    body = document(
        "Error",
        element("Code", code),
        element("Message", message),
        element("Details", details) if details else "",
        namespace=False,
    )
    return Response(translated.status, b"" if empty else body, XML)
