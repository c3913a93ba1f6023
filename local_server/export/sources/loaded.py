"""Signatures and functions of a SavedModel that TensorFlow's Python has loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.hints import choose_from

from ..running import running_code
from ..served import Served


def load_objects(tf: Any, folder: Path, tags: Iterable[str]) -> Any:
    """Return the objects of a SavedModel; raises ModelError if Python does not restore them."""
    with running_code("TensorFlow's Python does not load the SavedModel", str(folder)):
        return tf.saved_model.load(str(folder), list(tags))


def loaded_signatures(loaded: Any) -> dict[str, Served]:
    """Return the signatures of a loaded model."""
    return {name: _by_position(function) for name, function in loaded.signatures.items()}


def loaded_function(tf: Any, loaded: Any, name: str) -> Served:
    """Return the function at a path of attributes; raises UserError if there is none to serve."""
    function = loaded
    for part in name.split("."):
        function = getattr(function, part, None)
    fit = [one for one in getattr(function, "concrete_functions", ()) if _specs(tf, one)]
    if not fit:
        raise UserError(
            f"there is no signature or function {name} that takes tensors",
            hint=choose_from([*loaded.signatures, *function_names(tf, loaded)]),
        )
    # Keras has a form of each function for training, with another constant argument.
    return _of_function(tf, min(fit, key=_is_for_training))


def function_names(tf: Any, loaded: Any) -> list[str]:
    """Return the names of the functions that can be signatures."""
    return [
        name
        for name in sorted({"__call__", *vars(loaded)})
        if any(
            _specs(tf, one)
            for one in getattr(getattr(loaded, name, None), "concrete_functions", ())
        )
    ]


def _by_position(function: Any) -> Served:
    _, named = function.structured_input_signature
    aliases = list(named)

    def serve(*tensors: Any) -> Any:
        return function(**dict(zip(aliases, tensors, strict=True)))

    return Served(serve, tuple(named[alias] for alias in aliases))


def _of_function(tf: Any, function: Any) -> Served:
    specs = _specs(tf, function)
    positional, keywords = function.structured_input_signature

    def serve(*tensors: Any) -> Any:
        given = iter(tensors)
        arguments = _filled(tf, positional, given)
        named = dict(zip(keywords, _filled(tf, keywords.values(), given), strict=True))
        return function(*arguments, **named)

    return Served(serve, specs)


def _filled(tf: Any, arguments: Iterable[Any], given: Iterator[Any]) -> list[Any]:
    return [next(given) if isinstance(one, tf.TensorSpec) else one for one in arguments]


def _specs(tf: Any, function: Any) -> tuple[Any, ...]:
    """Return the tensors that a function takes; none if it takes lists or sparse tensors."""
    positional, keywords = function.structured_input_signature
    arguments = [*positional, *keywords.values()]
    if not all(isinstance(one, tf.TensorSpec | bool | type(None)) for one in arguments):
        return ()
    specs = [one for one in arguments if isinstance(one, tf.TensorSpec)]
    return tuple(
        tf.TensorSpec(one.shape, one.dtype, one.name or f"input_{n}") for n, one in enumerate(specs)
    )


def _is_for_training(function: Any) -> bool:
    positional, keywords = function.structured_input_signature
    return any(one is True for one in (*positional, *keywords.values()))
