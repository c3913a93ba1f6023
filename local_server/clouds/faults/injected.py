"""A failure on purpose of the operation that a request starts, known to all that the request does.

A request's work goes on in tasks of its own, after its answer; each keeps the context it was
started in. What an operation does first is to ask here whether it is meant to fail.
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


def fail_if_planned() -> None:
    """Raise the StatusError that this operation is meant to end with, if it is."""
    planned = _PLANNED.get()
    if planned is not None:
        raise StatusError(planned.code, planned.message)
