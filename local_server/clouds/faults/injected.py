"""The injected failure of an operation, in the context of the request that starts it.

An operation continues in background tasks after the response; each keeps the context that it was
started in. An operation first calls `raise_injected`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ...status import Code, StatusError

_PLANNED: ContextVar[StatusError | None] = ContextVar("planned_failure", default=None)
_WITH_ROLLBACK: ContextVar[bool] = ContextVar("planned_failure_of_rollback", default=False)


@contextmanager
def failing(code: Code, message: str, *, with_rollback: bool = False) -> Iterator[None]:
    """Make every operation that is started in the block fail with this error.

    `with_rollback`: an update fails when it has begun to shift traffic, and cannot be undone.
    """
    token, rollback = _PLANNED.set(StatusError(code, message)), _WITH_ROLLBACK.set(with_rollback)
    try:
        yield
    finally:
        _PLANNED.reset(token)
        _WITH_ROLLBACK.reset(rollback)


def raise_injected() -> None:
    """Raise the StatusError that is injected into this operation, if there is one."""
    planned = _PLANNED.get()
    if planned is not None and not _WITH_ROLLBACK.get():
        raise StatusError(planned.code, planned.message)


def failed_rollback() -> str | None:
    """Return why an update and its rollback are to fail; None if they are not."""
    planned = _PLANNED.get()
    return planned.message if planned is not None and _WITH_ROLLBACK.get() else None
