"""Errors of the user's code, and of TensorFlow with a user's model, as ModelErrors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloudserve.errors import CloudserveError, ModelError

_CALL = "call it in Python, which shows where it failed"
_MAKE_ROOM = "make room, or name another folder"


@contextmanager
def running_code(what: str, where: str, *passed: type[Exception]) -> Iterator[None]:
    """Raise ModelError for an error of the user's code; `passed` are raised unchanged."""
    kept: tuple[type[Exception], ...] = (CloudserveError, *passed)
    try:
        yield
    except kept:
        raise
    except Exception as error:  # the user's code raises anything
        text = _last_line(error)
        hint = _MAKE_ROOM if "No space left on device" in text else _CALL
        raise ModelError(
            f"{what}: {type(error).__name__}: {text}", where=where, hint=hint
        ) from error


def _last_line(error: Exception) -> str:
    """Return the reason in a message of TensorFlow: the end, behind "in user code" and a traceback.

    That of a session's op is the line before the op's name in brackets.
    """
    text = str(getattr(error, "message", "") or error)
    lines = [line.strip() for line in text.partition("[[{{node")[0].splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
