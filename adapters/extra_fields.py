"""Raw request fields of a target (`extra`): their check, their merge, their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from cloudserve.errors import ProjectError
from cloudserve.hints import did_you_mean
from cloudserve.project import Where
from cloudserve.release.types import DIGITS_IN_ID

Extra = Mapping[str, Mapping[str, Any]]
"""A request's name -> its fields."""
Ours = Mapping[str, Mapping[str, str]]
"""A request's name -> the fields that cloudserve sets -> the target's field for each, or ""."""


def check_fields(
    extra: Extra, ours: Ours, where: Where, check: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """Raise ProjectError for an unknown request and for a field of cloudserve's.

    `check` raises for values that the service would refuse.
    """
    for name, fields in extra.items():
        if name not in ours:
            raise ProjectError(
                f"`extra` has no request `{name}`",
                where=where(f"extra.{name}"),
                hint=did_you_mean(name, ours),
            )
        for path in paths(fields):
            for own, field in ours[name].items():
                if path == own or path.startswith(f"{own}."):
                    raise ProjectError(
                        f"cloudserve sets `{own}` of {name}",
                        where=where(f"extra.{name}.{path}"),
                        hint=f"use the field `{field}`" if field else "leave it out",
                    )
        check(name, fields)


def paths(fields: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the path of each value, as `A.B.C`."""
    for key, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def merged(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's fields with extra ones, mappings merged at every depth."""
    result = dict(fields)
    for key, value in extra.items():
        existing = result.get(key)
        if isinstance(existing, Mapping) and isinstance(value, Mapping):
            result[key] = merged(existing, value)
        else:
            result[key] = value
    return result


def digest_of(extra: Extra, *names: str) -> str:
    """Return a digest of these requests' extra fields, or "" if there are none."""
    chosen = {name: extra[name] for name in names if extra.get(name)}
    if not chosen:
        return ""
    text = msgspec.json.encode(chosen, order="sorted")
    return hashlib.sha256(text).hexdigest()[:DIGITS_IN_ID]


def extra_text(extra: Extra, *names: str) -> str:
    """Return the end of a sentence on a resource with these requests' extra fields, or ""."""
    fields = [path for name in names for path in paths(extra.get(name, {}))]
    return f", with {', '.join(fields)} of `extra`" if fields else ""
