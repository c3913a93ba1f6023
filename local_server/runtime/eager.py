"""The eager loader behind the interface of `callables`, for what a Session cannot restore."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, TensorSpec

from ..status import Code, StatusError
from .arrays import check_dtypes, check_output, dtype_word
from .dtypes import numpy_dtype
from .errors import closed, load_error, status_error
from .loading.restore import Restored
from .memory import collect
from .types import Ran, Tensor


def load_eagerly(
    tf: Any, path: Path, tags: tuple[str, ...], restored: Restored, ran: Ran | None = None
) -> EagerModel:
    """Load a SavedModel with `tf.saved_model.load`. Raises LoadError."""
    try:
        return EagerModel(tf, tf.saved_model.load(str(path), tags=list(tags)), restored, ran)
    # The loader raises whatever the objects of the model raise while they are restored.
    except Exception as error:
        raise load_error(error, path) from error


class EagerModel:
    """A model whose signatures are TensorFlow functions."""

    def __init__(self, tf: Any, loaded: Any, restored: Restored, ran: Ran | None = None) -> None:
        self._tf = tf
        self._ran = ran
        # The functions hold their variables weakly: the loaded object has to stay.
        self._loaded = loaded
        self._defaults = restored.defaults
        self.definitions = restored.definitions
        self.all_signatures = MappingProxyType(dict(restored.signatures))
        self.signatures = MappingProxyType(
            {n: s for n, s in restored.signatures.items() if n not in HIDDEN_SIGNATURES}
        )

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature, which computes all its outputs; see LoadedModel."""
        loaded = self._loaded
        if loaded is None:
            raise closed()
        fed = {**self._defaults.get(signature, {}), **inputs}
        feeds = self._feeds(self.all_signatures[signature].inputs, fed)
        began = perf_counter()
        try:
            results = loaded.signatures[signature](**feeds)
            outputs = {alias: _to_array(alias, tensor) for alias, tensor in results.items()}
        except StatusError:
            raise
        except Exception as error:
            if self._loaded is None:
                raise closed() from error
            if type(error) in {TypeError, ValueError}:
                # The function refuses its arguments.
                raise StatusError(Code.INVALID_ARGUMENT, str(error)) from error
            raise status_error(error) from error
        if self._loaded is None:
            # Variables were emptied while it ran.
            raise closed()
        if self._ran is not None:
            self._ran(perf_counter() - began)
        return {alias: outputs[alias] for alias in wanted} if wanted else outputs

    def close(self) -> None:
        """Let the variables go.

        They are emptied first: a call that is running holds the functions. The functions and their
        constants refer to each other, in more places than could be taken apart.
        """
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._empty(loaded.signatures.values())
            del loaded
            collect()

    def _empty(self, functions: Iterable[Any]) -> None:
        for variable in (one for function in functions for one in function.variables):
            nothing = self._tf.constant([], dtype=variable.dtype)
            self._tf.raw_ops.AssignVariableOp(resource=variable.handle, value=nothing)

    def _feeds(self, specs: tuple[TensorSpec, ...], fed: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the arguments of a function. Refuses what is missing and what is of another type.

        TensorFlow would convert a double to the expected float, which a session does not.
        """
        for spec in specs:
            if spec.alias not in fed:
                raise _missing(self._tf, spec)
        arrays = [fed[spec.alias] for spec in specs]
        check_dtypes(arrays, [_numpy_dtype(self._tf, spec) for spec in specs])
        try:
            return {
                spec.alias: self._tf.constant(array, dtype=spec.dtype)
                for spec, array in zip(specs, arrays, strict=True)
            }
        except (TypeError, ValueError) as error:
            raise StatusError(Code.INVALID_ARGUMENT, str(error)) from error


def _to_array(alias: str, tensor: Any) -> Tensor:
    """Return a tensor's array: TensorFlow has strings as bytes, quantized numbers as plain ones."""
    number = tensor.dtype.as_datatype_enum
    check_output(alias, number)
    value, dtype = tensor.numpy(), numpy_dtype(number)
    return np.asarray(value).view(dtype) if dtype.names else np.asarray(value, dtype)


def _numpy_dtype(tf: Any, spec: TensorSpec) -> np.dtype[Any]:
    return numpy_dtype(tf.dtypes.as_dtype(spec.dtype).as_datatype_enum)


def _missing(tf: Any, spec: TensorSpec) -> StatusError:
    """Return what a session says of a placeholder that nothing is fed to."""
    word = dtype_word(_numpy_dtype(tf, spec))
    shape = "" if spec.shape is None else f" and shape {spec.type.removeprefix(spec.dtype)}"
    return StatusError(
        Code.INVALID_ARGUMENT,
        f"You must feed a value for placeholder tensor '{spec.tensor_name.partition(':')[0]}' "
        f"with dtype {word}{shape}",
    )
