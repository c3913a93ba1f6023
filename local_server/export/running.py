"""Errors of the user's code, and of TensorFlow with a user's model, as ModelErrors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cloudserve.errors import CloudserveError, ModelError

_CALL = "call it in Python, which shows where it failed"
_MAKE_ROOM = "make room, or name another folder"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ENDS = ("[[{{node", "Arguments received by", "Full object config")
_IN_USER_CODE = "in user code"
_KERAS_CALL = "Exception encountered when calling"


@contextmanager
def running_code(what: str, where: str, *passed: type[Exception]) -> Iterator[None]:
    """Raise ModelError for an error of the user's code; `passed` are raised unchanged."""
    kept: tuple[type[Exception], ...] = (CloudserveError, *passed)
    try:
        yield
    except kept:
        raise
    except Exception as error:  # the user's code raises anything
        # AutoGraph repeats the kind in its message.
        text = reason_of(error).removeprefix(f"{type(error).__name__}: ")
        hint = _MAKE_ROOM if "No space left on device" in text else _CALL
        raise ModelError(
            f"{what}: {type(error).__name__}: {text}", where=where, hint=hint
        ) from error


def reason_of(error: Exception) -> str:
    """Return the sentence of a message that has the reason.

    It is the last line behind "in user code" and a traceback, and before the op's name in brackets;
    otherwise the first one. Keras adds the layer that it called, and its arguments.
    """
    text = _COLOURS.sub("", str(getattr(error, "message", "") or error))
    for end in _ENDS:
        text = text.partition(end)[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_KERAS_CALL)] or lines
    if not lines:
        return "no message"
    is_behind = text.startswith(_IN_USER_CODE) or hasattr(error, "error_code")  # of an op
    return lines[-1] if is_behind else lines[0]
