"""Which of the versions on disk are wanted (file_system_storage_path_source.proto).

TensorFlow Serving's ServableVersionPolicy; tfserving.md 4.2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class VersionPolicy(Protocol):
    """Chooses among the versions that are there."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the versions that are wanted, a subset of those given."""
        ...


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions; 0 stands for 1, as in the protocol."""

    count: int = 1

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the highest versions."""
        return frozenset(sorted(versions, reverse=True)[: self.count or 1])


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return all."""
        return frozenset(versions)


@dataclass(frozen=True, slots=True)
class Specific:
    """These versions, as far as they are there."""

    versions: frozenset[int]

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return those of the named versions that are there."""
        return self.versions.intersection(versions)
