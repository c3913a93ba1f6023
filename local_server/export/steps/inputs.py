"""Steps before a model: its input becomes what a client sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloudserve.local.model_steps import Cast, InputStep, Normalize, Rescale, Resize

from ...runtime.types import Tensor
from ..served import Sample
from .stage import Stage, describe, refuse

_IMAGES = 4
_BYTE = 256


@dataclass(frozen=True, slots=True)
class Prepared:
    """An input with its steps."""

    spec: Any
    """The `TensorSpec` of what the client sends."""
    stages: tuple[Stage, ...]
    samples: dict[str, Sample]


def prepare(tf: Any, spec: Any, steps: Sequence[InputStep]) -> Prepared:
    """Return the input of a model behind steps, the first of which the client's values take.

    Raises UserError for a step that its dtype or shape does not allow.
    """
    taken = spec
    stages: list[Stage] = []
    for step in reversed(steps):
        if isinstance(step, Cast) and step is not steps[0]:
            refuse(
                f"cast is not the first step of {spec.name}",
                "put it in front: it is about what the client sends",
            )
        stage, taken = _fit(tf, step, taken)
        stages.insert(0, stage)
    is_bytes = bool(steps) and isinstance(steps[0], Cast) and taken.dtype == tf.uint8
    return Prepared(taken, tuple(stages), {spec.name: _bytes(taken)} if is_bytes else {})


def _fit(tf: Any, step: InputStep, spec: Any) -> tuple[Stage, Any]:
    """Return a step in front of a tensor, and the spec of what the step takes."""
    match step:
        case Cast():
            return _cast(tf, step, spec)
        case Resize():
            return _resize(tf, step, spec)
        case Rescale():
            return _rescale(spec, step), spec
        case Normalize():
            return _normalize(spec, step), spec


def _cast(tf: Any, step: Cast, spec: Any) -> tuple[Stage, Any]:
    if not (spec.dtype.is_floating or spec.dtype.is_integer):
        refuse(f"{spec.name} is {describe(spec)}, which no numbers are cast to", "leave cast out")
    dtype = spec.dtype.as_numpy_dtype
    stage = Stage(lambda x: tf.cast(x, spec.dtype), lambda x: x.astype(dtype))
    return stage, tf.TensorSpec(spec.shape, tf.as_dtype(step.dtype), spec.name)


def _resize(tf: Any, step: Resize, spec: Any) -> tuple[Stage, Any]:
    shape = spec.shape.as_list() if spec.shape.rank else []
    size = (step.height, step.width)
    fits = len(shape) == _IMAGES and all(
        own in {None, given} for own, given in zip(shape[1:3], size, strict=True)
    )
    if not fits or not spec.dtype.is_floating:
        refuse(
            f"{spec.name} is {describe(spec)}, not images of {step.height}x{step.width} in floats",
            "give the size of the model's input: resize:HEIGHTxWIDTH",
        )

    def resize(images: Any) -> Any:
        return tf.cast(tf.image.resize(images, size, step.method), spec.dtype)

    # numpy has no resizing: TensorFlow's own is run eagerly.
    stage = Stage(resize, lambda x: resize(x).numpy())
    return stage, tf.TensorSpec([shape[0], None, None, shape[3]], spec.dtype, spec.name)


def _rescale(spec: Any, step: Rescale) -> Stage:
    dtype = _float(spec, "rescale")
    scale = _rounded(spec, dtype, step.scale, is_zero_allowed=False)
    offset = _rounded(spec, dtype, step.offset)
    return Stage(lambda x: x * scale + offset, lambda x: x * scale + offset)


def _normalize(spec: Any, step: Normalize) -> Stage:
    dtype = _float(spec, "normalize")
    last = spec.shape[-1] if spec.shape.rank else None
    counts = {len(step.mean), len(step.std)} - {1}
    if counts and counts != {last}:
        refuse(
            f"{spec.name} is {describe(spec)}, and there are {len(step.mean)} means and "
            f"{len(step.std)} deviations",
            "give one for all values, or one for each value of the last axis",
        )
    mean = _rounded(spec, dtype, step.mean if len(step.mean) > 1 else step.mean[0])
    std = _rounded(
        spec, dtype, step.std if len(step.std) > 1 else step.std[0], is_zero_allowed=False
    )
    return Stage(lambda x: (x - mean) / std, lambda x: (x - mean) / std)


def _rounded(
    spec: Any,
    dtype: Any,
    numbers: float | Sequence[float],
    *,
    is_zero_allowed: bool = True,
) -> Tensor:
    """Return numbers in the dtype of an input, which may not have any so large, or so small."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.asarray(numbers, dtype)
    if not np.isfinite(rounded).all() or not (is_zero_allowed or rounded.all()):
        refuse(
            f"{spec.name} is {describe(spec)}, in which {numbers} would be infinite or 0",
            "write the same step with other numbers, or export a model of float32",
        )
    return rounded


def _float(spec: Any, step: str) -> Any:
    if not spec.dtype.is_floating:
        refuse(
            f"{spec.name} is {describe(spec)}, and {step} makes floats",
            "take the step out: the model takes the client's numbers as they are",
        )
    return spec.dtype.as_numpy_dtype


def _bytes(spec: Any) -> Sample:
    """Return what makes up pixels: all values of a byte."""

    def sample(rows: int, random: np.random.Generator) -> Tensor:
        first, *others = spec.shape.as_list() or [None]
        shape = [rows if first is None else first, *(2 if n is None else n for n in others)]
        return random.integers(0, _BYTE, shape, np.uint8)

    return sample
