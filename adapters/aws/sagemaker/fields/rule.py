"""A rule of a target's fields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold of a target's fields."""

    holds: bool
    field: str
    sentence: str
    hint: str | None = None
