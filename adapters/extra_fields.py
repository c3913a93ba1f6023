"""Raw request fields of a target (`extra`): their paths, their merge, their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cloudserve.release.types import DIGITS_IN_ID

Extra = Mapping[str, Mapping[str, Any]]
"""A request's name -> its fields."""


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
    found = [path for name in names for path in paths(extra.get(name, {}))]
    return f", with {', '.join(found)} of `extra`" if found else ""
