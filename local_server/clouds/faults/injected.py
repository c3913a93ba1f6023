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


@contextmanager
def failing(code: Code, message: str) -> Iterator[None]:
    """Make every operation that is started in the block fail with this error."""
    token = _PLANNED.set(StatusError(code, message))
    try:
        yield
    finally:
        _PLANNED.reset(token)


def raise_injected() -> None:
    """Raise the StatusError that is injected into this operation, if there is one."""
    planned = _PLANNED.get()
    if planned is not None:
        raise StatusError(planned.code, planned.message)
