"""The error tree. The library raises these errors; it never prints and never exits.

    CloudserveError              an expected failure
    ├── UserError                invalid request: arguments, project file, a missing extra
    │   ├── ProjectError         invalid cloudserve.yaml, with the path of the wrong value
    │   └── MissingExtraError    an optional dependency is not installed
    ├── ModelError               a SavedModel cannot be read or loaded
    ├── RemoteError              a service refused or failed (status, request id, retryable)
    │   └── UnreachableError     the endpoint does not answer
    │       └── LostAnswerError  a request was sent, and its answer did not arrive
    ├── ConflictError            the state of the cloud differs from what was assumed
    └── CheckFailedError         a check refused the release
        └── GateRefusedError     a gate of the target refused it, with all verdicts

`cloudserve.local_server.status.StatusError` is the data plane's branch of the tree.
Each error states what happened (`message`), where (`where`) and what to do (`hint`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudserve.release.types import Plan
    from cloudserve.release.verdict import Verdict


class CloudserveError(Exception):
    """An expected failure in three parts: what happened, where, what to do."""

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class UserError(CloudserveError):
    """The request is invalid."""


class ProjectError(UserError):
    """The project file is invalid; `where` is the path of the wrong value."""


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

    def __init__(  # noqa: PLR0913 - the fields of an error response
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
    """The endpoint does not answer."""


class LostAnswerError(UnreachableError):
    """A request was sent, and its answer did not arrive: whether it was processed is unknown."""


class ConflictError(CloudserveError):
    """The existing state differs from what the operation assumed."""


class CheckFailedError(CloudserveError):
    """A check refused the release."""


class GateRefusedError(CheckFailedError):
    """A gate refused the release of `plan`; the last of `verdicts` is its own."""

    def __init__(
        self,
        plan: Plan,
        verdicts: tuple[Verdict, ...],
        *,
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        refusal = verdicts[-1]
        super().__init__(f"gate {refusal.gate}: {refusal.sentence}", where=where, hint=hint)
        self.plan = plan
        self.verdicts = verdicts
