"""Differences of two answers, within a tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudserve.client.transports.channel import Arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = "fciu"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from the first one: `absolute + relative * |number|`."""

    relative: float = 1e-5
    absolute: float = 1e-6


@dataclass(frozen=True, slots=True)
class Differences:
    """What two answers differ in."""

    findings: tuple[str, ...] = ()
    """The outputs that differ beyond the tolerance, a sentence each."""
    largest: Mapping[str, float] = field(default_factory=dict)
    """The largest absolute difference of each output's numbers."""


def compare(first: Arrays, second: Arrays, tolerance: Tolerance) -> Differences:
    """Compare the outputs of two answers."""
    names = sorted({*first, *second})
    compared = {name: _compared(first.get(name), second.get(name), tolerance) for name in names}
    findings = tuple(f"`{name}` {text}" for name, (text, _) in compared.items() if text)
    largest = {name: size for name, (_, size) in compared.items() if size is not None}
    return Differences(findings, largest)


def _compared(
    one: NDArray[Any] | None, other: NDArray[Any] | None, tolerance: Tolerance
) -> tuple[str, float | None]:
    """Return how an output differs, "" if it does not, and the largest difference of numbers."""
    import numpy as np

    if one is None or other is None:
        return "is in one answer only", None
    if one.shape != other.shape:
        return f"has the shapes {list(one.shape)} and {list(other.shape)}", None
    if one.dtype.kind not in _NUMBERS or other.dtype.kind not in _NUMBERS:
        return ("" if np.array_equal(one, other) else "has other values"), None
    wide = np.complex128 if "c" in {one.dtype.kind, other.dtype.kind} else np.float64
    left, right = one.astype(wide), other.astype(wide)
    with np.errstate(invalid="ignore"):
        distance = np.abs(left - right)
    finite = distance[np.isfinite(distance)]
    largest = float(finite.max()) if finite.size else 0.0
    if np.allclose(right, left, tolerance.relative, tolerance.absolute, equal_nan=True):
        return "", largest
    return f"differs by up to {largest:.6g}", largest
