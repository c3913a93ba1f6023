"""The comparison of a resource's fields with those that a target's options give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudserve.release.drift import NOTHING, Setting


def compare_fields(
    expected: Mapping[str, Any], existing: Mapping[str, Any], of: str
) -> Iterator[Setting]:
    """Yield the fields that differ, nested ones too; a missing field has its default.

    Fields that only the platform has are ignored: it adds some of its own.
    """
    for name, value in expected.items():
        has = existing.get(name)
        if isinstance(value, Mapping):
            yield from compare_fields(value, has or {}, of)
        elif (type(value)() if has is None else has) != value:
            yield Setting(f"{name} of {of}", str(value), NOTHING if has is None else str(has))


def compare_environment(
    expected: Mapping[str, str], existing: Mapping[str, str], of: str
) -> Iterator[Setting]:
    """Yield the environment variables that differ, without their values."""
    for name in sorted(expected.keys() | existing.keys()):
        if expected.get(name) != existing.get(name):
            project = "set" if name in expected else NOTHING
            platform = ("another value" if project == "set" else "set") if name in existing else "-"
            yield Setting(f"environment variable {name} of {of}", project, platform)
