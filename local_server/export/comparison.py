"""The proof of an export: the model and the written version answer the same inputs alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from cloudserve.errors import CloudserveError, ModelError

from ..rewriting.rounding import ulp_between
from ..runtime.loading.serving_image import ServingImage
from ..runtime.session import load_model
from ..runtime.types import LoadedModel, Tensor
from ..status import StatusError
from .baked_batch import naming_baked
from .served import Served, named

_ROWS = (1, 3)
_OPENED_ROWS = (1, 3, 7)
_OPEN = 2


def compare(tf: Any, served: Mapping[str, Served], path: Path) -> tuple[int, int]:
    """Return how many batches were compared, and the largest difference in ULP.

    The version is loaded as TensorFlow Serving loads it. Raises ModelError if it does not load, or
    differs by more than rounding. Inputs that the model itself refuses are ignored, such as
    matrices that are not square, and texts that are not what it parses; not so if a batch was
    opened, which nothing else proves.
    """
    compared = largest = 0
    random = np.random.default_rng(1)
    with closing(load_model(path, image=ServingImage())) as model:
        for name, one in served.items():
            for rows in _rows(one):
                feeds = _feeds(one, rows, random)
                expected = _expected(tf, one, feeds)
                if expected is None:
                    _check_is_proven(name, one)
                    continue
                with naming_baked(path, name, one.batch):
                    outputs = _answer(model, name, feeds, path)
                    largest = max(largest, _difference(expected, outputs, path))
                compared += 1
    return compared, largest


def _rows(one: Served) -> tuple[int, ...]:
    """Return numbers of rows: one above an opened batch too, which a slice may have as its end."""
    if not one.batch:
        return _ROWS
    return _OPENED_ROWS + ((one.batch + 1,) if one.batch >= _OPENED_ROWS[-1] else ())


def _feeds(one: Served, rows: int, random: np.random.Generator) -> dict[str, Tensor]:
    return {
        spec.name: one.samples[spec.name](rows, random)
        if spec.name in one.samples
        else _array(spec, rows, random)
        for spec in one.specs
    }


def _array(spec: Any, rows: int, random: np.random.Generator) -> Tensor:
    first, *others = (spec.shape.as_list() if spec.shape.rank else []) or [None]
    shape = [rows if first is None else first, *(_OPEN if n is None else n for n in others)]
    values = random.random([] if spec.shape.rank == 0 else shape)
    dtype = spec.dtype.as_numpy_dtype
    if dtype is object:
        return np.where(values < 1 / 2, b"a", b"").astype(object)
    return np.asarray(values if spec.dtype.is_floating else values < 1 / 2, dtype)


def _expected(tf: Any, one: Served, feeds: Mapping[str, Tensor]) -> Mapping[str, Any] | None:
    """Return the answer of the source, by output; None if it refuses the inputs."""
    function = one.reference or one.function
    values = [feeds[spec.name] for spec in one.specs]
    try:
        return named(tf, function(*map(tf.constant, values)))
    except CloudserveError:
        raise
    except Exception:  # noqa: BLE001 - the model's code raises anything
        return None


def _check_is_proven(name: str, one: Served) -> None:
    if one.batch:
        raise ModelError(
            f"the batch of {one.batch} of {name} cannot be opened: the source refuses made-up "
            "inputs, so that no answers can be compared",
            hint="leave --open-batch out",
        )


def _answer(
    model: LoadedModel, name: str, feeds: Mapping[str, Tensor], path: Path
) -> Mapping[str, Tensor]:
    try:
        return model.run(name, feeds)
    except StatusError as error:
        raise ModelError(
            f"the exported version refuses inputs that the model takes: {_reason(error)}",
            where=str(path),
            hint="export it with an input_signature of the shapes that it takes",
        ) from error


def _reason(error: StatusError) -> str:
    """Return TensorFlow's words without the op's name, which is in a line of its own."""
    return str(error).partition("\n")[0]


def _difference(expected: Mapping[str, Any], outputs: Mapping[str, Tensor], path: Path) -> int:
    return max(_ulp(np.asarray(expected[alias]), outputs[alias], alias, path) for alias in outputs)


def _ulp(expected: Tensor, actual: Tensor, alias: str, path: Path) -> int:
    difference = ulp_between(expected, actual)
    if difference is None:
        raise ModelError(
            f"the exported version answers differently: {alias}",
            where=str(path),
            hint="the model may be random, or depend on a state: export it with --version and test "
            "it with `cloudserve run`",
        )
    return difference
