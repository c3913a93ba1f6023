"""Gradients of a SavedModel's outputs by its inputs, with TensorFlow's Python.

The graph of a SavedModel goes forward only; `tf.saved_model.load` makes functions of it, whose
gradients TensorFlow derives from the ops.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..status import Code, StatusError
from .errors import load_error, status_error
from .tensorflow import import_tensorflow
from .types import Tensor

_STACK = ("Graph execution error:", "Detected at node ", "<stack traces ", " ", "\t")
"""How the lines begin that TensorFlow's Python writes around the message of an op."""


def load_gradients(path: Path) -> GradientModel:
    """Load a SavedModel to differentiate it; raises LoadError. Blocks for seconds."""
    tf = import_tensorflow(f"{path} is differentiated")
    try:
        return GradientModel(tf, tf.saved_model.load(str(path)))
    # The loader raises whatever the objects of the model raise while they are restored.
    except Exception as error:
        raise load_error(error, path) from error


class GradientModel:
    """The signatures of a SavedModel as functions that can be differentiated."""

    def __init__(self, tf: Any, loaded: Any) -> None:
        self._tf = tf
        # The functions hold their variables weakly: the loaded object has to stay.
        self._loaded = loaded

    def dtypes(self, signature: str) -> Mapping[str, np.dtype[Any]]:
        """Return the dtypes of a signature's inputs; raises StatusError for an unknown one."""
        specs = self._function(signature).structured_input_signature[1]
        return {name: np.dtype(spec.dtype.as_numpy_dtype) for name, spec in specs.items()}

    def gradients(
        self,
        signature: str,
        inputs: Mapping[str, Tensor],
        by: Collection[str],
        output: tuple[str, tuple[int, ...]],
    ) -> dict[str, Tensor]:
        """Return the gradients of one number of an output, for each row, by these inputs.

        `output` is the output's name and the number's index in a row. An input that the output does
        not depend on has gradients of 0. Raises StatusError.
        """
        tf, function, (name, index) = self._tf, self._function(signature), output
        _check_rows(function.structured_input_signature[1], inputs)
        feeds = {alias: tf.constant(array) for alias, array in inputs.items()}
        wanted = [feeds[alias] for alias in by]
        try:
            with tf.GradientTape() as tape:
                for tensor in wanted:
                    tape.watch(tensor)
                total = tf.reduce_sum(function(**feeds)[name][(slice(None), *index)])
            found = tape.gradient(total, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # An op without a gradient raises LookupError, the function TypeError for its arguments.
        except (LookupError, TypeError, ValueError) as error:
            text = f"The model cannot be differentiated: {error}"
            raise StatusError(Code.FAILED_PRECONDITION, text) from error
        except Exception as error:
            raise _failed(error) from error
        return {
            alias: tf.convert_to_tensor(one).numpy() for alias, one in zip(by, found, strict=True)
        }

    def _function(self, signature: str) -> Any:
        try:
            return self._loaded.signatures[signature]
        except KeyError as error:
            text = f"The model has no signature `{signature}`."
            raise StatusError(Code.INVALID_ARGUMENT, text) from error


def _check_rows(specs: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> None:
    """Refuse inputs that have another number of rows than the signature fixes (StatusError).

    The graph may run with them; its gradients, which TensorFlow derives for that shape, do not.
    """
    for name, array in inputs.items():
        shape = specs[name].shape if name in specs else None
        fixed = shape[0] if shape is not None and shape.rank else None
        if fixed is not None and fixed != len(array):
            text = (
                f"The model cannot be differentiated at {len(array)} points together: the first"
                f" dimension of its input `{name}` is {fixed}, and must be unknown."
            )
            raise StatusError(Code.FAILED_PRECONDITION, text)


def _failed(error: Exception) -> StatusError:
    """Return the error of a run with what the op said, without the Python stack of its node."""
    found = status_error(error)
    said = [line for line in found.message.splitlines() if line and not line.startswith(_STACK)]
    return StatusError(found.code, said[0] if said else found.message)
