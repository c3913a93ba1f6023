"""The repair of a SavedModel: what is asked for, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """The changes to make, beside those of variables that are not restored."""

    tags: tuple[str, ...] = ("serve",)
    signatures: Mapping[str, str] = field(default_factory=dict)
    """Signatures to add, by name: the existing one that each is a copy of."""
    clear_devices: bool = False
    """Whether the devices that nodes were placed on are removed."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair changed."""

    path: Path
    """The repaired model."""
    changes: tuple[str, ...]
    """A sentence each, without a full stop."""
    compared: int
    """The requests that both models answered with the same bits."""
    uncompared: str = ""
    """Why no answers were compared; "" if some were."""
