"""Errors of the user's code, and of TensorFlow with a user's model, as ModelErrors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cloudserve.errors import CloudserveError, ModelError

_CALL = "call it in Python, which shows where it failed"
_FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ENDS = ("[[{{node", "Arguments received by", "Full object config")
_IN_USER_CODE = "in user code"
_KERAS_CALL = "Exception encountered when calling"


@contextmanager
def running_code(what: str, where: str, *passed: type[Exception]) -> Iterator[None]:
    """Raise ModelError for an error of the user's code; `passed` are raised unchanged.

    If OSError is passed, a full disk is one, whatever TensorFlow makes of it.
    """
    kept: tuple[type[Exception], ...] = (CloudserveError, *passed)
    try:
        yield
    except kept:
        raise
    except Exception as error:  # the user's code raises anything
        # AutoGraph repeats the kind in its message.
        text = reason_of(error).removeprefix(f"{type(error).__name__}: ")
        if OSError in passed and (reason := full_disk(str(error))):
            raise OSError(0, reason) from error
        raise ModelError(
            f"{what}: {type(error).__name__}: {text}", where=where, hint=_CALL
        ) from error


def full_disk(text: str) -> str:
    """Return the system's words for a full disk in a message, "" if it has none."""
    return next((reason for reason in _FULL if reason in text), "")


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
