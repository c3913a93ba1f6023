"""TensorFlow's exceptions as the data plane's status, and as one sentence for a failed load."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from ..status import Code, StatusError
from .types import LoadError

logger = logging.getLogger(__name__)

_ROOT_ERROR = re.compile(r"^ *\(0\) [A-Z_]+: ", re.MULTILINE)
_ADVICE = re.compile(r" Make sure the Op and Kernel are registered .*")
_NO_INDEX = re.compile(r"The passed save_path is not a valid checkpoint: (?P<prefix>.*)")
# What reading a checkpoint that is cut off or damaged fails with, not always saying where.
_DAMAGED = {Code.OUT_OF_RANGE, Code.DATA_LOSS}
# INTERNAL to TensorFlow: an element of an object array that is no string.
_NO_STRING = "Unsupported object type "
_LONGEST_REASON = 300


def status_error(error: Exception) -> StatusError:
    """Return the error of a request whose run raised `error`; a defect is INTERNAL, and logged.

    TensorFlow's Python layer raises UnicodeDecodeError if the text of an op's error quotes bytes
    that are not UTF-8, such as an invalid serialized Example.
    """
    if isinstance(error, UnicodeDecodeError):
        quoted = error.object.decode("utf-8", "backslashreplace")
        return StatusError(Code.INVALID_ARGUMENT, quoted)
    if isinstance(error, MemoryError):
        return StatusError(Code.RESOURCE_EXHAUSTED, str(error) or "there is no memory left")
    if not hasattr(error, "error_code"):
        logger.error("a model could not be run", exc_info=error)
        return StatusError(Code.INTERNAL, "the server failed; its log says why")
    message = str(getattr(error, "message", error))
    if message.startswith(_NO_STRING):
        return StatusError(Code.INVALID_ARGUMENT, message)
    return StatusError(_code(error), message)


def closed() -> StatusError:
    """Return what TensorFlow says of a call to a session that is closed."""
    return StatusError(Code.CANCELLED, "Session has been closed.")


def load_error(error: Exception, path: object) -> LoadError:
    """Return TensorFlow's reason for not loading the model at `path`, in one line.

    The loader wraps what an op said in pages of advice, as often as three times, and loses its code
    on the way; the innermost error has both.
    """
    # Not str(error): an OpError reads its op then, and the failed load has freed the graph.
    if match := _NO_INDEX.search(_text(error)):
        missing = f"{match['prefix']}.index; No such file or directory"
        return LoadError(Code.NOT_FOUND, missing, where=str(path))
    ops = [cause for cause in _causes(error) if hasattr(cause, "error_code")]
    inner = ops[-1] if ops else error
    code, reason = _code(inner), _first_line(_text(inner))
    if code in _DAMAGED and str(path) not in reason:
        reason = f"{path}/variables: {reason}"
    return LoadError(code, reason, where=str(path))


def release(error: BaseException) -> None:
    """Drop what an error and its causes keep in memory: the frames they passed, and the graph.

    TensorFlow's errors refer to the op that failed, and so to all ops of its graph.
    """
    visited: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None and one not in visited:
            visited.append(one)
            one.__traceback__ = None
            if getattr(one, "op", None) is not None:
                # OpError's; there is no public way to drop it.
                one._op = None  # type: ignore[attr-defined]  # noqa: SLF001
            pending += [one.__cause__, one.__context__]


def _causes(error: BaseException) -> Iterator[Exception]:
    cause: BaseException | None = error
    while isinstance(cause, Exception):
        yield cause
        cause = cause.__cause__ or cause.__context__


def _code(error: Exception) -> Code:
    number = getattr(error, "error_code", None)
    if isinstance(number, int) and number in Code.__members__.values():
        return Code(number)
    is_invalid = isinstance(error, (KeyError, TypeError, ValueError))
    return Code.INVALID_ARGUMENT if is_invalid else Code.UNKNOWN


def _text(error: Exception) -> str:
    """Return an error's text; a KeyError's own is quoted like a name."""
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(getattr(error, "message", error))


def _first_line(text: str) -> str:
    if match := _ROOT_ERROR.search(text):
        text = text[match.end() :]
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    line = _ADVICE.sub("", line)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
