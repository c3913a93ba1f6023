"""Steps before and after a model that an export builds into its graph, and their texts.

A text is the step's name with its values: `rescale:1/255`, `resize:224x224`,
`normalize:0.5,0.4,0.4:0.2`, `softmax`, `top_k:5:labels.txt`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cloudserve.errors import UserError
from cloudserve.hints import choose_from

METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")
"""The methods of `tf.image.resize` to export."""
CAST_DTYPES = ("uint8", "int8", "int16", "int32", "int64", "bool", "float16", "float32", "float64")
"""The dtypes that `cast` takes numbers in."""
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")
_FRACTION = re.compile(r"([^/]+)/([^/]+)")


@dataclass(frozen=True, slots=True)
class Cast:
    """Take numbers of another dtype than the model's, such as pixels in uint8."""

    dtype: str

    def __post_init__(self) -> None:
        """Raise UserError for another dtype."""
        if self.dtype not in CAST_DTYPES:
            raise _invalid(f"`{self.dtype}` is not a dtype to cast", choose_from(CAST_DTYPES))


@dataclass(frozen=True, slots=True)
class Resize:
    """Take images of any size, and resize them with `tf.image.resize`."""

    height: int
    width: int
    method: str = "bilinear"

    def __post_init__(self) -> None:
        """Raise UserError for another method, and for no size."""
        if self.method not in METHODS:
            raise _invalid(f"`{self.method}` is not a method of resizing", choose_from(METHODS))
        if self.height < 1 or self.width < 1:
            raise _invalid(f"{self.height}x{self.width} is not a size", "give resize:224x224")


@dataclass(frozen=True, slots=True)
class Rescale:
    """Multiply numbers by `scale` and add `offset`, as `keras.layers.Rescaling` does."""

    scale: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Raise UserError for numbers that are not finite, and for a scale of 0."""
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)) or not self.scale:
            raise _invalid("the scale is 0, or a number is not finite", "give rescale:1/255")


@dataclass(frozen=True, slots=True)
class Normalize:
    """Subtract `mean` and divide by `std`: one number, or one for each value of the last axis."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise UserError for numbers that are not finite, for a deviation of 0, for none."""
        if not self.mean or not self.std or not all(map(math.isfinite, (*self.mean, *self.std))):
            raise _invalid("a mean or deviation is missing or not finite", _NORMALIZE)
        if not all(one > 0 for one in self.std):
            raise _invalid("a standard deviation is not above 0", _NORMALIZE)


@dataclass(frozen=True, slots=True)
class Softmax:
    """Make probabilities of scores along the last axis."""


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Make a probability of each score."""


@dataclass(frozen=True, slots=True)
class ArgMax:
    """Answer the class with the highest score: its number, or its name in a file of labels."""

    labels: Path | None = None


@dataclass(frozen=True, slots=True)
class TopK:
    """Answer the highest scores, and in a second output `NAME_classes` which classes have them."""

    k: int
    labels: Path | None = None

    def __post_init__(self) -> None:
        """Raise UserError for less than one."""
        if self.k < 1:
            raise _invalid(f"{self.k} is not a number of classes", "give top_k:5")


S = TypeVar("S")

InputStep = Cast | Resize | Rescale | Normalize
OutputStep = Softmax | Sigmoid | ArgMax | TopK

_NORMALIZE = "give normalize:MEAN:STD, such as normalize:0.485,0.456,0.406:0.229,0.224,0.225"


def input_step(text: str) -> InputStep:
    """Return the step of a text; raises UserError for another text."""
    return _parse(text, _INPUT_STEPS)


def output_step(text: str) -> OutputStep:
    """Return the step of a text; raises UserError for another text."""
    return _parse(text, _OUTPUT_STEPS)


def parse_steps(
    texts: Mapping[str, Sequence[str]], parse: Callable[[str], S]
) -> dict[str, tuple[S, ...]]:
    """Return the steps of each tensor; raises UserError for a text that is not a step."""
    return {name: tuple(map(parse, each)) for name, each in texts.items()}


def _parse(text: str, steps: Mapping[str, tuple[str, Callable[[str], S]]]) -> S:
    name, colon, values = text.partition(":")
    if name not in steps:
        raise _invalid(f"`{name}` is not a step", choose_from(steps))
    form, make = steps[name]
    if colon and not values:
        raise _invalid(f"`{text}` has no values behind the colon", f"give {form}")
    try:
        return make(values)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise _invalid(f"`{text}` is not {form}", f"give {form}") from error


def _resize(values: str) -> Resize:
    size, _, method = values.partition(":")
    match = _SIZE.fullmatch(size)
    if match is None:
        raise ValueError(values)
    return Resize(int(match[1]), int(match[2]), method or "bilinear")


def _rescale(values: str) -> Rescale:
    scale, _, offset = values.partition(":")
    return Rescale(_number(scale), _number(offset or "0"))


def _normalize(values: str) -> Normalize:
    mean, std = values.split(":")
    return Normalize(_numbers(mean), _numbers(std))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(_number, text.split(",")))


def _number(text: str) -> float:
    """Return a number or a fraction, such as 1/255."""
    match = _FRACTION.fullmatch(text)
    return float(match[1]) / float(match[2]) if match else float(text)


def _top_k(values: str) -> TopK:
    k, _, labels = values.partition(":")
    return TopK(int(k), Path(labels) if labels else None)


def _without_values(step: Callable[[], S]) -> Callable[[str], S]:
    def make(values: str) -> S:
        if values:
            raise ValueError(values)
        return step()

    return make


def _invalid(text: str, hint: str) -> UserError:
    return UserError(text, hint=hint)


_INPUT_STEPS: Mapping[str, tuple[str, Callable[[str], InputStep]]] = {
    "cast": ("cast:DTYPE", Cast),
    "resize": ("resize:HEIGHTxWIDTH[:METHOD]", _resize),
    "rescale": ("rescale:SCALE[:OFFSET], such as rescale:1/127.5:-1", _rescale),
    "normalize": ("normalize:MEAN:STD, each a number or one for each channel", _normalize),
}
_OUTPUT_STEPS: Mapping[str, tuple[str, Callable[[str], OutputStep]]] = {
    "softmax": ("softmax", _without_values(Softmax)),
    "sigmoid": ("sigmoid", _without_values(Sigmoid)),
    "argmax": ("argmax[:LABELS]", lambda values: ArgMax(Path(values) if values else None)),
    "top_k": ("top_k:K[:LABELS]", _top_k),
}
