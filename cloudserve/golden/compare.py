"""The comparison of answers with recorded ones, output by output.

Numbers with a point are compared within a tolerance; integers, texts, booleans and shapes exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudserve.golden.file import Example, Golden, Tolerance
from cloudserve.golden.numbers import distance
from cloudserve.golden.redaction import Action, digits_of

Place = tuple[str | int, ...]
_WHOLE = Example({})
"""An example whose answer was recorded completely."""
_ROUNDING = 1e-6
"""The error of a rounded number in the dtype of the output, as a fraction of half a step."""
_BINARY = {"b64"}
_FORMS = ("predictions", "outputs", "result", "results")
"""The members that hold an answer; a platform's own members beside them are not compared."""


@dataclass(slots=True)
class Deviation:
    """How far an output is from what was recorded, over all examples."""

    output: str
    values: int = 0
    outside: int = 0
    """Values beyond the tolerance, and values of another type or shape."""
    absolute: float = 0.0
    relative: float = 0.0
    ulp: float = 0
    first: str = ""
    """The first value outside, such as `request 2, predictions[0][1]: 0.5 instead of 0.25`."""

    def add(self, expected: Any, actual: Any, tolerance: Tolerance, place: str) -> None:
        """Count a single value."""
        self.values += 1
        if isinstance(expected, float) and _is_number(actual):
            gap = distance(float(expected), float(actual), tolerance.dtype)
            self.absolute = max(self.absolute, gap.absolute)
            self.relative = max(self.relative, gap.relative)
            self.ulp = max(self.ulp, gap.ulp)
            is_within = gap.is_within(tolerance)
        else:
            is_alike = type(expected) is type(actual) or (
                _is_number(expected) and _is_number(actual)
            )
            is_within = is_alike and expected == actual
        if not is_within:
            self.differ(f"{place}: {_say(actual)} instead of {_say(expected)}")

    def differ(self, text: str) -> None:
        """Count a value outside."""
        self.outside += 1
        self.first = self.first or text

    def __str__(self) -> str:
        name = f"output {self.output}" if self.output else "the output"
        if not self.ulp:
            return f"{name}: {self.first or 'equal'}"
        size = f"up to {self.absolute:.3g} or {self.ulp:,.0f} ULP away"
        return f"{name}: {size}, {self.first}" if self.first else f"{name}: {size}"

    def figures(self) -> dict[str, Any]:
        """Return the deviation as a JSON object; an infinite distance is null."""
        return {
            "output": self.output,
            "values": self.values,
            "outside": self.outside,
            "absolute": _finite(self.absolute),
            "relative": _finite(self.relative),
            "ulp": _finite(self.ulp),
            "first": self.first,
        }


@dataclass(slots=True)
class Comparison:
    """Compares the answers of many requests with the recorded ones."""

    golden: Golden
    deviations: dict[str, Deviation] = field(default_factory=dict)
    is_strict: bool = False
    """Whether an integer differs from a number with a point, as answers of the same server do."""

    _example: Example = _WHOLE

    def add_example(self, example: Example, actual: Mapping[str, Any], where: str) -> bool:
        """Compare an answer with that of an example, as far as it was recorded."""
        self._example = example
        try:
            return self.add(example.answer or {}, actual, where)
        finally:
            self._example = _WHOLE

    def add(self, expected: Mapping[str, Any], actual: Mapping[str, Any], where: str) -> bool:
        """Compare one answer; return whether it is as recorded. `where` names the request."""
        before = sum(one.outside for one in self.deviations.values())
        for form in _FORMS:
            if form in expected:
                self._form(form, expected[form], actual, where)
        return before == sum(one.outside for one in self.deviations.values())

    def _form(self, form: str, expected: Any, actual: Mapping[str, Any], where: str) -> None:
        if form not in actual:
            self._of("").differ(f"{where}: the answer has no `{form}`")
            return
        place = f"{where}, {form}"
        self._walk("", expected, actual[form], place)

    def _walk(self, output: str, expected: Any, actual: Any, place: str) -> None:
        rule = self._example.redacted.get(output, "")
        if rule == Action.HASH:
            self._of(output).values += 1
            return
        match expected, actual:
            case list(), list() if len(expected) == len(actual):
                for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
                    self._walk(output, one, other, f"{place}[{index}]")
            case dict(), dict() if self._are_named(output, expected, actual):
                for name in expected:
                    self._walk(output or name, expected[name], actual[name], f"{place}.{name}")
            case (list(), _) | (dict(), _) | (_, list()) | (_, dict()) if expected != actual:
                text = f"{place}: {_shape(actual)} instead of {_shape(expected)}"
                self._of(output).differ(text)
            case (int(), float()) | (float(), int()) if self.is_strict:
                kinds = f"{_say(actual)} ({_type(actual)}) instead of {_say(expected)}"
                self._of(output).differ(f"{place}: {kinds} ({_type(expected)})")
            case _:
                tolerance = self.golden.tolerance(output)
                self._of(output).add(expected, _nearest(actual, expected, rule), tolerance, place)

    def _are_named(
        self, output: str, expected: Mapping[str, Any], actual: Mapping[str, Any]
    ) -> bool:
        """Return whether both are values by name, as far as the names were recorded."""
        if set(expected) == _BINARY:
            return False
        if self._example.partial and not output:
            return expected.keys() <= actual.keys()
        return expected.keys() == actual.keys()

    def _of(self, output: str) -> Deviation:
        return self.deviations.setdefault(output, Deviation(output))


def _nearest(actual: Any, expected: Any, rule: str) -> Any:
    """Return the number nearest to the recorded one that `actual` may have been rounded from."""
    digits = digits_of(rule)
    if digits is None or not (_is_number(actual) and _is_number(expected)):
        return actual
    step = 0.5 * 10.0**-digits * (1 + _ROUNDING)
    return min(max(float(expected), actual - step), actual + step)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _say(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _type(value: float) -> str:
    return "with a point" if isinstance(value, float) else type(value).__name__


def _shape(value: Any) -> str:
    match value:
        case list():
            return f"a list of {len(value)}"
        case dict() if set(value) == _BINARY:
            return f"the bytes {_say(value['b64'])}"
        case dict():
            return f"an object of {', '.join(sorted(value)) or 'nothing'}"
        case _:
            return _say(value)


_LONGEST = 60
