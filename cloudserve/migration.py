"""A target's move to another platform, as its adapter maps it: data."""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.project import Field


@dataclass(frozen=True, slots=True)
class Mapped:
    """What becomes of one field; an empty `to` is left out of the new target."""

    field: str
    value: Field
    to: str
    becomes: Field
    note: str = ""
    """Why, where it is not the same."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A target's move to another adapter: every field of the old one, in its order."""

    provider: str
    reason: str
    """One sentence on why, a comment above the new target."""
    mapped: tuple[Mapped, ...]

    @property
    def fields(self) -> dict[str, Field]:
        """Return the new target's fields."""
        return {m.to: m.becomes for m in self.mapped if m.to}
