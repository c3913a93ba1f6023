"""onnxruntime's exceptions as the data plane's status, and as one sentence for a failed load.

Its texts begin with a number of its own (`StatusCode` in onnxruntime/core/common/common.h), and
many of them with a source file, a line and the declaration of a function.
"""

from __future__ import annotations

import re

from ...status import Code, StatusError
from ..types import LoadError

_TEXT = re.compile(r"\[ONNXRuntimeError\] : (?P<number>\d+) : [A-Z_]+ : (?P<text>.*)", re.DOTALL)
# Of a function, up to its parameters; lambdas have parentheses in their names.
_DECLARATION = r"[^()]*\([^()]*\)(?: const)?(?: \[with [^\]]*\])? "
_PLACE = re.compile(
    rf"/onnxruntime_src/\S+:\d+ (?:{_DECLARATION}|.*\) (?=[A-Z]))?"
    r"(?:\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : )?"
)
_FILE = re.compile(r"\b\w+\.(?:cc|h):\d+ \S+ |Load model from \S+ failed:")
_OPSET = re.compile(
    r"Opset (?P<opset>\d+) is under development.*support for domain (?P<domain>\S+) is till opset "
    r"(?P<known>\d+)",
    re.DOTALL,
)
_IR = re.compile(
    r"Unsupported model IR version: (?P<ir>\d+), max supported IR version: (?P<known>\d+)"
)
_NO_MEMORY = ("bad allocation", "bad_alloc", "Failed to allocate memory")
_ADVICE = " Please fix either the inputs/outputs or the model."
_INVALID_ARGUMENT, _RUNTIME_EXCEPTION, _NOT_IMPLEMENTED = 2, 6, 9
_OPERATOR = "Non-zero status code returned while running "
_LONGEST = 300


def run_error(error: Exception) -> StatusError:
    """Return the error of a request whose run raised `error`.

    An operator that fails in a session that was made fails because of the values or the sizes of
    the request: INVALID_ARGUMENT, as TensorFlow's ops answer.
    """
    number, text = _parts(error)
    if any(words in text for words in _NO_MEMORY):
        return StatusError(Code.RESOURCE_EXHAUSTED, text)
    if number == _NOT_IMPLEMENTED:
        return StatusError(Code.UNIMPLEMENTED, text)
    is_request = number in {_INVALID_ARGUMENT, _RUNTIME_EXCEPTION} or _OPERATOR in text
    return StatusError(Code.INVALID_ARGUMENT if is_request else Code.INTERNAL, text)


def load_error(error: Exception, where: str, version: str) -> LoadError:
    """Return the reason for not loading the model, with what to do."""
    number, text = _parts(error)
    if match := _OPSET.search(str(error)):
        text = (
            f"the model is of opset {match['opset']} of {match['domain']}, and onnxruntime "
            f"{version} knows the opsets up to {match['known']}"
        )
        hint = f"install a newer onnxruntime, or export the model with opset {match['known']}"
    elif match := _IR.search(str(error)):
        text = (
            f"the model is of IR version {match['ir']}, and onnxruntime {version} knows the "
            f"versions up to {match['known']}"
        )
        hint = "install a newer onnxruntime, or export the model with an older onnx"
    else:
        text = f"onnxruntime {version} does not load the model: {text}"
        hint = "export the model again, and check it with onnx.checker.check_model"
    code = Code.UNIMPLEMENTED if number == _NOT_IMPLEMENTED else Code.INVALID_ARGUMENT
    return LoadError(code, text, where=where, hint=hint)


def _parts(error: Exception) -> tuple[int, str]:
    match = _TEXT.search(str(error))
    number, text = (int(match["number"]), match["text"]) if match else (0, str(error))
    line = " ".join(_FILE.sub("", _PLACE.sub("", text)).replace(_ADVICE.strip(), "").split())
    return number, line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
