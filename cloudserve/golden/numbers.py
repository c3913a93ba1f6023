"""The distance of two numbers, in the units of a tolerance."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from cloudserve.golden.file import Tolerance

_FORMS = {"float16": ("<e", "<h"), "float32": ("<f", "<i"), "float64": ("<d", "<q")}
DTYPES = tuple(_FORMS)
FAR = math.inf


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a number is from the expected one."""

    absolute: float = 0.0
    relative: float = 0.0
    ulp: float = 0
    """A whole number; infinite between a finite number and another one."""

    def is_within(self, tolerance: Tolerance) -> bool:
        """Return whether one of the bounds holds."""
        return (
            self.ulp <= tolerance.ulp
            or self.absolute <= tolerance.absolute
            or self.relative <= tolerance.relative
        )


_SAME = Distance()
_FAR = Distance(FAR, FAR, FAR)


def distance(expected: float, actual: float, dtype: str = "float32") -> Distance:
    """Return the distance of two numbers; infinite if only one is finite, or a NaN."""
    if expected == actual or (math.isnan(expected) and math.isnan(actual)):
        return _SAME
    if not (math.isfinite(expected) and math.isfinite(actual)):
        return _FAR
    absolute = abs(actual - expected)
    relative = absolute / abs(expected) if expected else FAR
    return Distance(absolute, relative, ulps(expected, actual, dtype))


def ulps(one: float, other: float, dtype: str) -> int:
    """Return the number of steps between two finite numbers, rounded to a dtype."""
    return abs(_position(one, dtype) - _position(other, dtype))


def _position(number: float, dtype: str) -> int:
    """Return a number's place among the numbers of its dtype; 0 and -0 have the same one."""
    written, read = _FORMS[dtype]
    try:
        data = struct.pack(written, number)
    except OverflowError:
        data = struct.pack(written, math.copysign(math.inf, number))
    bits: int = struct.unpack(read, data)[0]
    if bits >= 0:
        return bits
    lowest = -1 << (8 * len(data) - 1)
    return lowest - bits
