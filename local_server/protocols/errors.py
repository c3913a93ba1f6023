"""Errors over REST: HTTP statuses and the JSON body.

Source: tensorflow_serving/model_servers/http_rest_api_util.cc, util/json_tensor.cc
(`MakeJsonFromStatus`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codecs.json.text import dump_text
from ..status import Code
from ..transport.types import Response

_HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


@dataclass(slots=True)
class ErrorResponse(Response):
    """A failed request's answer, with its code: several codes share an HTTP status."""

    code: Code = Code.UNKNOWN


def http_status(code: Code) -> int:
    """Return the HTTP status of a canonical code."""
    return _HTTP_STATUS[code]


def error_body(message: str) -> bytes:
    """Return `{"error": message}`, laid out as TensorFlow Serving does."""
    return b'{\n    "error": %b\n}' % dump_text(message)
