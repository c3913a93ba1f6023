"""AWS responses and errors: JSON 1.1 (control planes), REST-JSON (runtime), query XML (STS)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from cloudserve.errors import CloudserveError

from ....transport.types import Response

JSON_1_1 = "application/x-amz-json-1.1"
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class AwsError(CloudserveError):
    """An error of an AWS service: its type, message and HTTP status."""

    def __init__(self, kind: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status

    @classmethod
    def internal(cls) -> AwsError:
        """Return the error for an internal failure."""
        message = "The request processing has failed because of an unknown error."
        return cls("InternalFailure", message, HTTPStatus.INTERNAL_SERVER_ERROR)


def invalid(message: str) -> AwsError:
    """Return a ValidationException, SageMaker's usual error for a bad request."""
    return AwsError("ValidationException", message)


def request_id() -> dict[str, str]:
    """Return the request ID header."""
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def json_response(document: Mapping[str, Any] | None, content_type: str = JSON_1_1) -> Response:
    """Return a JSON 1.x response; None is the empty body of operations without output."""
    body = b"" if document is None else json.dumps(document).encode()
    return Response(HTTPStatus.OK, body, content_type, request_id())


def json_error(error: AwsError, content_type: str = JSON_1_1) -> Response:
    """Return a JSON 1.x error."""
    body = json.dumps({"__type": error.kind, "message": error.message}).encode()
    return Response(error.status, body, content_type, request_id())


def xml_text(text: str) -> str:
    """Return a text of XML; characters that XML 1.0 does not have are replaced."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text), {"\r": "&#13;"})


def xml_error(error: AwsError, namespace: str = "") -> Response:
    """Return an error in the query protocol's XML, with its type in a header too."""
    identity = request_id()
    declared = f' xmlns="{namespace}"' if namespace else ""
    body = (
        f"<ErrorResponse{declared}><Error><Type>Sender</Type><Code>{error.kind}</Code>"
        f"<Message>{xml_text(error.message)}</Message></Error>"
        f"<RequestId>{identity['x-amzn-RequestId']}</RequestId></ErrorResponse>"
    )
    headers = {"x-amzn-ErrorType": error.kind} | identity
    return Response(error.status, body.encode(), "text/xml", headers)


def rest_error(error: AwsError, extra: Mapping[str, Any] | None = None) -> Response:
    """Return a REST-JSON error: the type in a header, `Message` in the body."""
    body = json.dumps({"Message": error.message, **(extra or {})}).encode()
    headers = {"x-amzn-ErrorType": error.kind} | request_id()
    return Response(error.status, body, "application/json", headers)
