"""What to do next with a model's versions: TensorFlow Serving's AvailabilityPreservingPolicy.

Source: tensorflow_serving/core/availability_preserving_policy.cc; tfserving.md 4.3. Pure, so that
its promise can be proven: a model that has an available version and is still wanted keeps one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .states import State


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version as the policy sees it; START is not yet begun, END an aspired one that failed."""

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
    """Return what to begin now; None when there is nothing, or something must end first."""
    leaving = [c.version for c in candidates if not c.is_aspired and c.state is State.AVAILABLE]
    if leaving and _may_unload(candidates, len(leaving)):
        return Unload(min(leaving))
    coming = [c.version for c in candidates if c.is_aspired and c.state is State.START]
    return Load(max(coming)) if coming else None


def _may_unload(candidates: Collection[Candidate], leaving: int) -> bool:
    aspired = [candidate.state for candidate in candidates if candidate.is_aspired]
    return not aspired or State.AVAILABLE in aspired or leaving > 1
