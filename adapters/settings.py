"""The comparison of what a platform has with what a target's fields say, for `diff --target`.

Adapters read both sides back into the fields of the project file, so that a row names the field to
edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudserve.release.inspection.drift import NOTHING, Setting


def compare(
    expected: Mapping[str, Any], existing: Mapping[str, Any], of: str, prefix: str = ""
) -> Iterator[Setting]:
    """Yield the fields that differ, of both sides and nested ones too.

    An empty field, 0 and false mean the default, like a missing field.
    """
    for name in dict.fromkeys((*expected, *existing)):
        wants, has = expected.get(name), existing.get(name)
        if isinstance(wants, Mapping) or isinstance(has, Mapping):
            yield from compare(wants or {}, has or {}, of, f"{prefix}{name}.")
        elif (wants or has) and wants != has:
            yield Setting(f"{prefix}{name} of {of}", _text(wants), _text(has))


def compare_given(
    expected: Mapping[str, Any], existing: Mapping[str, Any], of: str, prefix: str = ""
) -> Iterator[Setting]:
    """Yield the fields of `expected` that differ: the platform adds fields of its own."""
    for name, value in expected.items():
        has = existing.get(name)
        if isinstance(value, Mapping):
            yield from compare_given(value, has or {}, of, f"{prefix}{name}.")
        elif (value or has) and not _is_same(value, has):
            yield Setting(f"{prefix}{name} of {of}", _text(value), _text(has))


def _is_same(value: Any, has: Any) -> bool:
    """Compare a given value with the platform's, whose 64-bit integers are strings in JSON."""
    return bool(value == has or (isinstance(value, int) and has == str(value)))


def compare_environment(
    expected: Mapping[str, str], existing: Mapping[str, str], of: str
) -> Iterator[Setting]:
    """Yield the environment variables that differ, without their values."""
    for name in sorted(expected.keys() | existing.keys()):
        if expected.get(name) != existing.get(name):
            project = "set" if name in expected else NOTHING
            platform = ("another value" if project == "set" else "set") if name in existing else "-"
            yield Setting(f"environment variable {name} of {of}", project, platform)


def _text(value: Any) -> str:
    if not value:
        return NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "true" if value is True else str(value)
