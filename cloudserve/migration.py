"""The mapping of a target's fields to another platform, as data."""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.project import Field


@dataclass(frozen=True, slots=True)
class Mapped:
    """The mapping of one field; the new target omits a field whose `to` is empty."""

    field: str
    value: Field
    to: str
    becomes: Field
    note: str = ""
    """Why the field or its value differs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """The migration of a target to another adapter: every field of the old one, in order."""

    provider: str
    reason: str
    """One sentence on why, written as a comment above the new target."""
    mapped: tuple[Mapped, ...]

    @property
    def fields(self) -> dict[str, Field]:
        """Return the new target's fields."""
        return {m.to: m.becomes for m in self.mapped if m.to}
