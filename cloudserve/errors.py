"""The one error tree. The library raises these; it never prints and never exits.

    CloudserveError              something expected went wrong
    ├── UserError                the request itself: arguments, project file, a missing extra
    │   ├── ProjectError         cloudserve.yaml, with the path of what is wrong
    │   └── MissingExtraError    an optional dependency is not installed
    ├── ModelError               a SavedModel that cannot be read or loaded
    ├── RemoteError              a service refused or failed (status, request id, retryable)
    │   └── UnreachableError     nobody answered at the endpoint
    ├── ConflictError            the cloud is not as it was assumed: moved, locked, taken
    └── CheckFailedError         a gate said no

`cloudserve.local_server.status.StatusError` joins the tree for the data plane.
Each error says what happened (`message`), where (`where`) and what to do (`hint`).
"""

from __future__ import annotations


class CloudserveError(Exception):
    """An expected failure, told in three parts: what, where, what to do."""

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class UserError(CloudserveError):
    """The request cannot be carried out as it was given."""


class ProjectError(UserError):
    """The project file is wrong; `where` is the path of the wrong value."""


class MissingExtraError(UserError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed",
            hint=f"pip install 'cloudserve[{extra}]'",
        )


class ModelError(CloudserveError):
    """A SavedModel cannot be read or loaded."""


class RemoteError(CloudserveError):
    """A service answered with an error; `retry_after` is its Retry-After in seconds."""

    def __init__(  # noqa: PLR0913 - what an answer may say
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.request_id = request_id
        self.retryable = retryable
        self.retry_after = retry_after


class UnreachableError(RemoteError):
    """Nobody answered at the endpoint."""


class ConflictError(CloudserveError):
    """What is there is not what the operation assumed."""


class CheckFailedError(CloudserveError):
    """A gate refused the release."""
