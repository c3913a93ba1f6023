"""TensorFlow's exceptions as the data plane's status, and as one sentence for a failed load."""

from __future__ import annotations

import re

from ..status import Code, StatusError
from .types import LoadError

# The sentences that say why, where TensorFlow wraps them in pages of advice.
_REASON = re.compile(r"^.*(?:No OpKernel was registered|Op type not registered).*$", re.MULTILINE)
_ORIGINAL = "Original error:"
_LONGEST_REASON = 300


def status_error(error: Exception) -> StatusError:
    """Return what a request is told when running its model raised `error`.

    TensorFlow's Python layer fails with UnicodeDecodeError where the text of an op's error quotes
    bytes that are not UTF-8, such as a serialized Example that is none.
    """
    if isinstance(error, UnicodeDecodeError):
        quoted = error.object.decode("utf-8", "backslashreplace")
        return StatusError(Code.INVALID_ARGUMENT, quoted)
    return StatusError(_code(error), str(getattr(error, "message", error)))


def load_error(error: Exception, path: object) -> LoadError:
    """Return TensorFlow's reason for not loading the model at `path`, in one line."""
    reason = _reason(str(getattr(error, "message", error)))
    return LoadError(_code(error), reason, where=str(path))


def _code(error: Exception) -> Code:
    number = getattr(error, "error_code", None)
    if isinstance(number, int) and number in Code.__members__.values():
        return Code(number)
    return Code.INVALID_ARGUMENT if isinstance(error, (TypeError, ValueError)) else Code.UNKNOWN


def _reason(text: str) -> str:
    if found := _REASON.search(text):
        text = found.group()
    elif _ORIGINAL in text:
        text = text.split(_ORIGINAL, 1)[1]
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
