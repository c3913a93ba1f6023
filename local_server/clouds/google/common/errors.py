"""Google's API errors: google.rpc.Status as JSON over HTTP (google/rpc/code.proto, AIP-193)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ....status import Code, StatusError
from ....transport.types import Response

JSON = "application/json; charset=UTF-8"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_HTTP = {
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One invalid field of a request, by its snake_case path."""

    field: str
    description: str


class ApiError(StatusError):
    """An error of a Google API, with the fields that caused it."""

    def __init__(self, code: Code, message: str, violations: tuple[Violation, ...] = ()) -> None:
        super().__init__(code, message)
        self.violations = violations
        self.details: tuple[Mapping[str, Any], ...] = ()
        """Further details, as google.rpc.Status has them."""

    @classmethod
    def of_field(cls, code: Code, field: str, description: str) -> ApiError:
        """Return an error with the ml API's text: `Field: FIELD Error: DESCRIPTION`."""
        message = f"Field: {field} Error: {description}"
        return cls(code, message, (Violation(field, description),))


def json_response(document: object) -> Response:
    """Return a 200 response with a JSON document."""
    return Response(HTTPStatus.OK, json.dumps(document).encode(), JSON)


def http_status(error: StatusError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    return _HTTP.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def error_response(error: StatusError) -> Response:
    """Return an error as google.rpc.Status JSON with its HTTP status."""
    status = http_status(error)
    body: dict[str, object] = {
        "code": int(status),
        "message": error.message,
        "status": error.code.name,
    }
    details = _details(error) if isinstance(error, ApiError) else []
    if details:
        body["details"] = details
    return Response(status, json.dumps({"error": body}).encode(), JSON)


def _details(error: ApiError) -> list[Mapping[str, Any]]:
    fields = [{"field": v.field, "description": v.description} for v in error.violations]
    violations = [{"@type": _BAD_REQUEST, "fieldViolations": fields}] if fields else []
    return [*violations, *error.details]
