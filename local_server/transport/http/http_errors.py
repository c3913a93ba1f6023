"""Requests the transport answers itself, without asking the application."""

from __future__ import annotations

import json
import logging

from ..types import Head, Response

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that is not handed on: `status` and a sentence for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_response(status: int, message: str) -> Response:
    """Return an error as `{"error": message}`, the shape of TensorFlow Serving's REST errors."""
    return Response(status, json.dumps({"error": message}).encode(), "application/json")


def body_too_large(limit: int) -> RefusedError:
    """Return the refusal of a body of more than `limit` bytes."""
    return RefusedError(413, f"the request body is larger than {limit} bytes")


def internal_error() -> Response:
    """Return the answer to a request that failed for no reason of its own."""
    return error_response(500, "internal error")


def log_failure(head: Head, error: BaseException) -> None:
    """Log a failed request with its traceback; without its query, which may carry a signature."""
    _log.error("%s %s failed", head.method, head.path, exc_info=error)
