"""TensorFlow Serving's AvailabilityPreservingPolicy: the next transition of a model's versions.

Source: tensorflow_serving/core/availability_preserving_policy.cc. A pure
function, so that its promise can be proven: a model that has an available version and is still
configured keeps one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .states import State


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version for the policy; START is not loaded yet, END an aspired version that failed."""

    version: int
    state: State
    is_aspired: bool


@dataclass(frozen=True, slots=True)
class Load:
    """Load this version."""

    version: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Unload this version."""

    version: int


Action = Load | Unload


def next_action(candidates: Collection[Candidate]) -> Action | None:
    """Return the next transition; None if there is none or another must finish first."""
    leaving = [c.version for c in candidates if not c.is_aspired and c.state is State.AVAILABLE]
    if leaving and _may_unload(candidates, len(leaving)):
        return Unload(min(leaving))
    coming = [c.version for c in candidates if c.is_aspired and c.state is State.START]
    return Load(max(coming)) if coming else None


def _may_unload(candidates: Collection[Candidate], leaving: int) -> bool:
    aspired = [candidate.state for candidate in candidates if candidate.is_aspired]
    return not aspired or State.AVAILABLE in aspired or leaving > 1
