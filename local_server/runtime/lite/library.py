"""The library of TensorFlow Lite's interpreter: ai-edge-litert, or else TensorFlow's Python.

The first takes half a second and 40 MB, the second five seconds and half a gigabyte.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from typing import Any

from cloudserve.errors import MissingExtraError

from ...status import Code
from ..quiet import without_chatter
from ..tensorflow import import_tensorflow
from ..types import LoadError

_MODULE = "ai_edge_litert.interpreter"
_first = threading.Lock()
_has_spoken = False


def make_interpreter(data: bytes, threads: int) -> Any:
    """Return an interpreter of a model, whose tensors are not allocated.

    Raises LoadError if no library is installed, ValueError or RuntimeError, with a reason, for a
    model that the library refuses.
    """
    global _has_spoken  # noqa: PLW0603 - the library logs a line when it is first used
    if _has_spoken:
        return _make(data, threads)
    with _first, without_chatter():
        interpreter = _make(data, threads)
        # XNNPACK is reported by the first allocation.
        interpreter.allocate_tensors()
        _has_spoken = True
        return interpreter


def _make(data: bytes, threads: int) -> Any:
    with warnings.catch_warnings():
        # TensorFlow announces that its interpreter moves to ai-edge-litert.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        return _interpreter_class()(model_content=data, num_threads=threads)


def _interpreter_class() -> Any:
    try:
        return importlib.import_module(_MODULE).Interpreter
    except ImportError:
        try:
            reason = "ai-edge-litert, which has a smaller interpreter, is not installed"
            return import_tensorflow(reason).lite.Interpreter
        except MissingExtraError as error:
            raise LoadError(
                Code.FAILED_PRECONDITION,
                "a TensorFlow Lite model needs ai-edge-litert, which is not installed",
                hint="pip install 'cloudserve[tflite]'",
            ) from error
