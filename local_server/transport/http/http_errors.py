"""Errors that the transport answers without calling the application."""

from __future__ import annotations

import json
import logging

from ..types import Head, Response

logger = logging.getLogger(__name__)


class HttpError(Exception):
    """A request that is not passed on: an HTTP status and a message for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_response(status: int, message: str) -> Response:
    """Return an error as `{"error": message}`, the shape of TensorFlow Serving's REST errors."""
    return Response(status, json.dumps({"error": message}).encode(), "application/json")


def body_too_large(limit: int) -> HttpError:
    """Return the error for a body of more than `limit` bytes."""
    return HttpError(413, f"the request body is larger than {limit} bytes")


def internal_error() -> Response:
    """Return the response to a request that failed because of a defect of the server."""
    return error_response(500, "internal error")


def log_failure(head: Head, error: BaseException) -> None:
    """Log a failed request and its traceback, without its query, which may hold a signature."""
    logger.error("%s %s failed", head.method, head.path, exc_info=error)
