"""The data plane's status codes: gRPC's canonical ones, as TensorFlow Serving uses them.

Faces translate: REST to HTTP status (TensorFlow Serving, http_rest_api_util.cc), gRPC as is.
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
    """A request failed with a canonical code; `message` is the protocol's own text."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class FileStatusError(StatusError, UserError):
    """A file that a server was told to read is missing or wrong: it is the user's to mend."""
