"""Signatures of an export: of a Keras model's inputs, of a module's functions."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Any

from cloudserve.errors import ModelError

from ...runtime.types import DEFAULT_SIGNATURE
from ..keras_files import is_keras_2
from ..served import Served

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
"""A name of TensorFlow's ops; arguments of other names are renamed (function_type.py)."""


def served_functions(tf: Any, model: Any) -> dict[str, Served]:
    """Return the signatures of a model by name.

    Raises ModelError for a model whose inputs are not known.
    """
    if isinstance(model, tf.keras.Model) or is_keras_2(model):
        served = {DEFAULT_SIGNATURE: _of_keras(tf, model)}
    elif isinstance(model, tf.Module):
        served = _of_module(tf, model)
    else:
        raise _no_model(model)
    for name, one in served.items():
        _check_names(name, [spec.name for spec in one.specs])
    return served


def _no_model(model: Any) -> ModelError:
    return ModelError(
        f"a {type(model).__name__} is not a model",
        hint="return a Keras model, a tf.function with an input_signature, or a tf.Module of such "
        "functions",
    )


def has_signature(function: Any) -> bool:
    """Return whether an object is a function that names its tensors, a concrete one included."""
    return (
        getattr(function, "input_signature", None) is not None
        or getattr(function, "structured_input_signature", None) is not None
    )


def as_module(tf: Any, model: Any) -> Any:
    """Return a function as a module that has it and its variables; another model as it is."""
    if not has_signature(model):
        return model
    module = tf.Module()
    module.function, module.state = model, _concrete(model).variables
    return module


def _concrete(function: Any) -> Any:
    return function.get_concrete_function() if hasattr(function, "input_signature") else function


def _of_keras(tf: Any, model: Any) -> Served:
    if not model.built or not getattr(model, "inputs", None):
        raise ModelError(
            f"the inputs of {model.name} are not known",
            hint="begin it with keras.Input((SIZE, …)), or export a tf.Module whose function has "
            "an input_signature",
        )
    names = _numbered(getattr(model, "output_names", None) or [model.layers[-1].name])
    specs = [tf.TensorSpec(one.shape, one.dtype, one.name) for one in model.inputs]

    is_sequence = any(one.__name__ == "Sequential" for one in type(model).__mro__)

    def serve(*tensors: Any) -> dict[str, Any]:
        packed = tensors[0] if is_sequence else tf.nest.pack_sequence_as(model.input, tensors)
        outputs = model(packed, training=False)
        if isinstance(outputs, dict):
            return outputs
        return dict(zip(names, tf.nest.flatten(outputs), strict=True))

    return Served(serve, tuple(specs))


def _numbered(names: Sequence[str]) -> list[str]:
    """Return unique names: a layer that is called twice gives its name to both outputs."""
    return [f"{name}_{n}" if name in names[:n] else name for n, name in enumerate(names)]


def _of_module(tf: Any, module: Any) -> dict[str, Served]:
    """Return the functions of a module that have an input signature; `__call__` is the default."""
    served: dict[str, Served] = {}
    for name in sorted({*dir(type(module)), *vars(module)}):
        function: Any = getattr(module, name, None)
        if has_signature(function):
            # A concrete function has a name for each argument.
            positional, named = _concrete(function).structured_input_signature
            specs = (*positional, *named.values())
            _check_tensors(tf, name, specs)
            served[DEFAULT_SIGNATURE if name == "__call__" else name] = Served(function, specs)
    if len(served) == 1 and DEFAULT_SIGNATURE not in served:
        served = {DEFAULT_SIGNATURE: next(iter(served.values()))}
    if not served:
        raise ModelError(
            f"{type(module).__name__} has no function with an input_signature",
            hint="write @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, 'x')])",
        )
    return served


def _check_names(signature: str, names: Sequence[str]) -> None:
    """Raise ModelError for names that TensorFlow would change or not take."""
    for n, name in enumerate(names):
        is_name = _NAME.fullmatch(name) and not keyword.iskeyword(name) and name != "self"
        if name in names[:n] or not is_name:
            what = "the name of two inputs" if is_name else "not a name that TensorFlow gives"
            raise ModelError(
                f"`{name}` of the signature {signature} is {what}",
                hint="name each input with letters and digits: tf.TensorSpec(…, name='x'), "
                "keras.Input(…, name='x')",
            )


def _check_tensors(tf: Any, function: str, specs: Sequence[Any]) -> None:
    if not all(isinstance(spec, tf.TensorSpec) for spec in specs):
        raise ModelError(
            f"{function} takes an argument that is not a tensor, which no request can name",
            hint="give it a dense tensor for each argument, without lists and dictionaries",
        )
