"""The proof of an export: the model and the written version answer the same inputs alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from cloudserve.errors import ModelError

from ..runtime.loading.serving_image import ServingImage
from ..runtime.session import load_model
from ..runtime.types import Tensor
from .signatures import IMAGE_SIGNATURE, Served

_ROWS = (1, 3)
_OPEN = 2
_ROUNDING = 1e-4
"""A session optimizes the graph: answers may differ by rounding, relative to the largest one."""


def compare(tf: Any, served: Mapping[str, Served], path: Path) -> tuple[int, int]:
    """Return how many batches were compared, and the largest difference in ULP.

    The version is loaded as TensorFlow Serving loads it. Raises ModelError if it does not load, or
    differs by more than rounding. Signatures of texts are only loaded: no text can be made up.
    """
    compared = largest = 0
    random = np.random.default_rng(1)
    with closing(load_model(path, image=ServingImage())) as model:
        for name, one in served.items():
            if name == IMAGE_SIGNATURE or any(spec.dtype == tf.string for spec in one.specs):
                continue
            for rows in _ROWS:
                feeds = {spec.name: _array(spec, rows, random) for spec in one.specs}
                outputs = model.run(name, feeds)
                largest = max(largest, _difference(tf, one, feeds, outputs, path))
                compared += 1
    return compared, largest


def _array(spec: Any, rows: int, random: np.random.Generator) -> Tensor:
    first, *others = spec.shape.as_list() or [None]
    shape = [rows if first is None else first, *(_OPEN if n is None else n for n in others)]
    values = random.random(shape if spec.shape.rank else [])
    dtype = spec.dtype.as_numpy_dtype
    return np.asarray(values if spec.dtype.is_floating else values < 1 / 2, dtype)


def _difference(
    tf: Any, one: Served, feeds: Mapping[str, Tensor], outputs: Mapping[str, Tensor], path: Path
) -> int:
    expected = one.function(*(tf.constant(feeds[spec.name]) for spec in one.specs))
    pairs = expected if isinstance(expected, dict) else dict(zip(outputs, [expected], strict=True))
    return max(_ulp(np.asarray(pairs[alias]), outputs[alias], alias, path) for alias in outputs)


def _ulp(expected: Tensor, actual: Tensor, alias: str, path: Path) -> int:
    if np.array_equal(expected, actual, equal_nan=expected.dtype.kind == "f"):
        return 0
    scale = np.max(np.abs(expected), initial=0) if expected.dtype.kind == "f" else 0
    if not np.allclose(expected, actual, rtol=0, atol=_ROUNDING * scale, equal_nan=True):
        raise ModelError(
            f"the exported version answers differently: {alias}",
            where=str(path),
            hint="the model may be random, or depend on a state: export it with --version and test "
            "it with `cloudserve run`",
        )
    spacing = np.spacing(np.maximum(np.abs(expected), np.finfo(expected.dtype).tiny))
    return int(np.nanmax(np.abs(expected - actual) / spacing))
