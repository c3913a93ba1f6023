"""Injected errors in the form of the service that the request is for.

The official clients parse errors in their service's format, retry by it, and fail on any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from ...transport.types import Head, Response
from ..aws.protocol.arns import scope
from ..aws.protocol.error_codes import status_of
from ..aws.protocol.errors import AwsError, json_error, rest_error, xml_error
from ..google.common.errors import JSON
from ..objects.gcs import errors
from ..objects.routing import is_gcs, is_s3
from ..objects.s3.errors import XML
from ..objects.xml import document, element

_GOOGLE: Mapping[int, str] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_AWS: Mapping[int, str] = MappingProxyType(
    {
        400: "ValidationException",
        403: "AccessDeniedException",
        429: "ThrottlingException",
        500: "InternalFailure",
        503: "ServiceUnavailable",
    }
)
_S3: Mapping[int, str] = MappingProxyType(
    {
        400: "InvalidRequest",
        403: "AccessDenied",
        404: "NoSuchKey",
        412: "PreconditionFailed",
        429: "SlowDown",
        500: "InternalError",
        503: "SlowDown",
    }
)
_GCS: Mapping[int, str] = MappingProxyType(
    {
        401: "authError",
        403: "forbidden",
        404: "notFound",
        412: "conditionNotMet",
        429: "rateLimitExceeded",
        500: "backendError",
        503: "backendError",
    }
)


def refusal(head: Head, status: int | None, message: str, code: str = "") -> Response:
    """Return a response with this status in the form of the request's service.

    `code` is AWS's error code. Status and code each follow from the other if only one is given.
    """
    status = status or status_of(code, _service(head))
    text = message or f"{_phrase(status)}: an injected fault."
    aws_scope = scope(head)
    if is_s3(head):
        return _s3(head, status, text, code or _S3.get(status, "InternalError"))
    if "x-amz-target" in head.headers or aws_scope is not None:
        return _aws(head, AwsError(code or _AWS.get(status, "ServiceException"), text, status))
    if is_gcs(head):
        reason = _GCS.get(status, "invalid")
        return errors.render(errors.GcsError(status, reason, text))
    error = {"code": status, "message": text, "status": _GOOGLE.get(status, "UNKNOWN")}
    return Response(status, json.dumps({"error": error}).encode(), JSON)


def _service(head: Head) -> str:
    """Return botocore's name of the AWS service that a request is for."""
    if is_s3(head):
        return "s3"
    aws_scope = scope(head)
    if head.path.startswith("/endpoints/"):
        return "sagemaker-runtime"
    if aws_scope is None:
        return ""
    return "cloudwatch" if aws_scope.service == "monitoring" else aws_scope.service


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return str(status)


def _aws(head: Head, error: AwsError) -> Response:
    if "x-amz-target" in head.headers:
        return json_error(error)
    return rest_error(error) if head.path.startswith("/endpoints/") else xml_error(error)


def _s3(head: Head, status: int, message: str, code: str) -> Response:
    error = document("Error", element("Code", code), element("Message", message), namespace=False)
    return Response(status, b"" if head.method == "HEAD" else error, XML)
