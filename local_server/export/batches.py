"""Signatures whose fixed batch is opened, and the answers that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cloudserve.errors import ModelError
from cloudserve.plural import counted

from ..rewriting.copies import read_model, write_model
from ..rewriting.open_batch import open_batch
from ..runtime.types import Tensor
from .served import Served, named

_HINT = "build it with an open first dimension, or leave --open-batch out"


def open_batches(tf: Any, served: Mapping[str, Served]) -> dict[str, Served]:
    """Return signatures with an open first dimension.

    Their references are the sources, asked in batches of the fixed size. Raises ModelError for
    inputs whose first dimensions differ.
    """
    return {name: _opened(tf, name, one) for name, one in served.items()}


def open_functions(tf: Any, served: Mapping[str, Served]) -> dict[str, Served]:
    """Return signatures with an open first dimension, whose functions are traced again.

    Raises ModelError for a concrete function, which has no code of Python.
    """
    opened = open_batches(tf, served)
    return {
        name: replace(one, function=_untraced(tf, name, served[name])) if one.batch else one
        for name, one in opened.items()
    }


def open_written(write: Callable[[Path], None], batches: Mapping[str, int], folder: Path) -> None:
    """Write a version, and open the batches of its signatures, by name."""
    write(folder)
    if batches:
        message = read_model(folder)
        open_batch(message.meta_graphs[0], batches)
        write_model(folder, message)


def check_open(served: Mapping[str, Served]) -> None:
    """Raise ModelError for a fixed batch of functions that cannot be traced again."""
    for name, one in served.items():
        if _fixed_batch(name, one):
            raise _traced(name)


def _traced(name: str) -> ModelError:
    return ModelError(
        f"the batch of {name} cannot be opened: the function is traced, and its code of Python is "
        "not in the source",
        hint="export it without --open-batch first, and then that version with it",
    )


def _opened(tf: Any, name: str, served: Served) -> Served:
    batch = _fixed_batch(name, served)
    if not batch:
        return served
    specs = tuple(
        tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, spec.name) if spec.shape.rank else spec
        for spec in served.specs
    )
    has_rows = [spec.shape.rank != 0 for spec in served.specs]
    source = served.reference or served.function
    reference = partial(_in_batches, tf, name, source, batch, has_rows)
    return replace(served, specs=specs, reference=reference, batch=batch)


def _fixed_batch(name: str, served: Served) -> int:
    """Return the number of rows that the inputs of a signature have, 0 if it is open."""
    sizes = {spec.name: spec.shape[0] for spec in served.specs if spec.shape.rank}
    fixed = {alias: size for alias, size in sizes.items() if size}
    if len({*fixed.values()}) > 1:
        texts = ", ".join(f"{alias} has {size}" for alias, size in fixed.items())
        raise ModelError(
            f"the batch of {name} cannot be opened: the first dimensions differ ({texts})",
            hint=_HINT,
        )
    return next(iter(fixed.values()), 0)


def _untraced(tf: Any, name: str, served: Served) -> Any:
    """Return the function that a signature is traced from again."""
    function = served.function
    if not isinstance(function, tf.types.experimental.Callable):
        return function
    if not hasattr(function, "python_function"):
        raise _traced(name)
    compiled = getattr(function, "_jit_compile", None)
    return tf.function(function.python_function, jit_compile=compiled)


def _in_batches(
    tf: Any,
    name: str,
    source: Callable[..., Any],
    batch: int,
    has_rows: Sequence[bool],
    *tensors: Any,
) -> dict[str, Any]:
    """Return the source's answers to any number of rows; its last batch is filled with others."""
    arrays = [tensor.numpy() for tensor in tensors]
    rows = next(len(one) for one, has in zip(arrays, has_rows, strict=True) if has)
    answers = []
    for first in range(0, rows, batch):
        chosen = np.arange(first, first + batch) % rows
        given = [x[chosen] if has else x for x, has in zip(arrays, has_rows, strict=True)]
        answers.append(named(tf, source(*map(tf.constant, given))))
    parts = {alias: [np.asarray(one[alias]) for one in answers] for alias in answers[0]}
    for alias, (first_part, *_) in parts.items():
        _check_rows(name, alias, first_part, batch)
    return {alias: np.concatenate(arrays)[:rows] for alias, arrays in parts.items()}


def _check_rows(name: str, alias: str, answer: Tensor, batch: int) -> None:
    if answer.ndim == 0 or len(answer) != batch:
        rows = counted(len(answer), "row") if answer.ndim else "a single value"
        raise ModelError(
            f"the batch of {batch} of {name} cannot be opened: its output {alias} has {rows}",
            hint="name outputs with a row for each of the inputs, or leave --open-batch out",
        )
