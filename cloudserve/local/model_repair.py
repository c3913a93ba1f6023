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
    prune: bool = False
    """Whether nodes that only training needs are removed."""
    freeze: bool = False
    """Whether variables become constants of the graph."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """New names of inputs: the old one of each."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """New names of outputs: the old one of each."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair changed."""

    path: Path
    """The repaired model."""
    changes: tuple[str, ...]
    """A sentence each, without a full stop."""
    compared: int
    """The requests that both models answered with the same bits, or with rounded ones."""
    uncompared: str = ""
    """Why no answers were compared; "" if some were."""
    ulp: int = 0
    """The largest difference of answers, in steps of the dtype: constants are folded."""
