"""Field masks of updates: which fields are written, and which never can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..filters import camel
from ..google.common.discovery import snake
from ..resources import Document
from .records import invalid


def paths(mask: str | None) -> list[str]:
    """Return an update mask's paths in lowerCamelCase; raises ApiError if it is empty."""
    names = [camel(path.strip()) for path in (mask or "").split(",") if path.strip()]
    if not names:
        raise invalid("The field `update_mask` is required.")
    return names


def update(
    document: Mapping[str, Any], body: Mapping[str, Any], mask: str | None, allowed: Collection[str]
) -> Document:
    """Return a document with the masked fields of a body; a field that the body lacks is cleared.

    "*" means all updatable fields. Raises ApiError for any other field.
    """
    names = paths(mask)
    changed = dict(document)
    for name in sorted(allowed) if names == ["*"] else names:
        if name not in allowed:
            raise invalid(f"The field `{snake(name)}` in update_mask cannot be updated.")
        if body.get(name) in (None, {}, [], ""):
            changed.pop(name, None)
        else:
            changed[name] = body[name]
    return changed
