"""Names of a model's file, for sentences of one line."""

from __future__ import annotations


def shown(name: str) -> str:
    """Return a name as it is, or with escapes if it has a line break or another control."""
    return name if name.isprintable() else repr(name)
