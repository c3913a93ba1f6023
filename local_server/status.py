"""The status codes of the data plane: gRPC's canonical codes, as TensorFlow Serving uses them.

Protocols translate them: REST to HTTP statuses (http_rest_api_util.cc), gRPC unchanged.
"""

from __future__ import annotations

from enum import IntEnum

from cloudserve.errors import CloudserveError, UserError


class Code(IntEnum):
    """A canonical status code (google.rpc.Code)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StatusError(CloudserveError):
    """A request failed with a canonical code; `message` is the protocol's text."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid_argument(message: str) -> StatusError:
    """Return an INVALID_ARGUMENT error."""
    return StatusError(Code.INVALID_ARGUMENT, message)


class FileStatusError(StatusError, UserError):
    """A file, a path or a device named by the user is missing or invalid."""
