"""One interpreter of TensorFlow Lite, which runs requests one after the other.

Source: tensorflow_serving/servables/tensorflow/tflite_session.cc: an input of another shape than
the last one resizes the interpreter's tensor, whatever the model's shape says, and what the model
cannot prepare for it is INTERNAL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cloudserve.modelfiles.tflite import LiteCall

from ...status import Code, StatusError
from ..types import Tensor

_MOST_IDLE_BYTES = 64 * 2**20
_MUCH_SMALLER = 4
_MOST_SAID = 16 * 2**10


class Runner:
    """An interpreter. For one thread at a time."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._shapes: dict[int, tuple[int, ...]] = {}
        """The shapes of the inputs of the first subgraph, if its tensors are allocated."""
        self._most_bytes = 0
        self._said = ""
        """The texts of all errors so far, which the library keeps and shows again."""

    def run(self, call: LiteCall, arrays: Sequence[Tensor]) -> list[Tensor]:
        """Run a call on arrays in the order of its inputs. Raises StatusError (INTERNAL)."""
        self._most_bytes = max(self._most_bytes, _size(arrays))
        if call.subgraph:
            return self._run_signature(call, arrays)
        self._fit(call.inputs, arrays)
        interpreter = self._interpreter
        try:
            for index, array in zip(call.inputs, arrays, strict=True):
                interpreter.set_tensor(index, array)
            interpreter.invoke()
            return [self._output(index) for index in call.outputs]
        except (RuntimeError, ValueError) as error:
            raise self._failed("invoke TfLite interpreter", error) from error

    def is_oversized(self, arrays: Sequence[Tensor]) -> bool:
        """Return whether the interpreter holds memory for much larger inputs, or for old errors.

        An interpreter never returns the memory of its tensors, nor that of its errors' texts.
        """
        most = self._most_bytes
        is_large = most > _MOST_IDLE_BYTES and most > _MUCH_SMALLER * _size(arrays)
        return is_large or len(self._said) > _MOST_SAID

    def _fit(self, inputs: Sequence[int], arrays: Sequence[Tensor]) -> None:
        """Resize the tensors whose shapes differ from those of the last run."""
        shapes = self._shapes
        changed = [
            (index, array.shape)
            for index, array in zip(inputs, arrays, strict=True)
            if shapes.get(index) != array.shape
        ]
        if not changed:
            return
        self._shapes = {}
        try:
            for index, shape in changed:
                self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise self._failed("allocate tensors", error) from error
        self._shapes = {**shapes, **dict(changed)}

    def _output(self, index: int) -> Tensor:
        """Return an output of the first subgraph.

        The library's Python refuses an empty tensor that an op has sized (interpreter_wrapper.cc,
        `CheckGetTensorArgs`). An op may also leave one of no possible size: ValueError.
        """
        try:
            return _as_array(self._interpreter.get_tensor(index))
        except ValueError:
            outputs = self._interpreter.get_output_details()
            details = next(one for one in outputs if one["index"] == index)
            if min(details["shape"], default=1):
                raise
            return np.empty(details["shape"], details["dtype"])

    def _run_signature(self, call: LiteCall, arrays: Sequence[Tensor]) -> list[Tensor]:
        """Run a signature of another subgraph, which the library finds by its name."""
        signature = call.signature
        feeds = {s.alias: array for s, array in zip(signature.inputs, arrays, strict=True)}
        try:
            outputs = self._interpreter.get_signature_runner(signature.name)(**feeds)
            return [_as_array(outputs[spec.alias]) for spec in signature.outputs]
        # KeyError: two inputs or outputs of a damaged file have one name.
        except (KeyError, RuntimeError, ValueError) as error:
            raise self._failed("invoke TfLite interpreter", error) from error

    def _failed(self, what: str, error: Exception) -> StatusError:
        """Return the status of an error, without the texts of those before it.

        The library collects what it reports (python_error_reporter.cc, `message`: the stream is not
        emptied) and raises all of it as RuntimeError.
        """
        text = reason = str(error)
        if isinstance(error, RuntimeError):
            reason = text.removeprefix(self._said) or text  # all of it if nothing was collected
            self._said = text
        return StatusError(Code.INTERNAL, f"Failed to {what}: {' '.join(reason.split())}")


def _as_array(value: Any) -> Tensor:
    """Return an output; the library gives a scalar as a number, or as bytes."""
    if isinstance(value, bytes):
        scalar: Tensor = np.empty((), object)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def _size(arrays: Sequence[Tensor]) -> int:
    return sum(array.nbytes for array in arrays)
