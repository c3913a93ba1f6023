"""Version policies: which versions on disk to serve (file_system_storage_path_source.proto).

TensorFlow Serving's ServableVersionPolicy; tfserving.md 4.2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class VersionPolicy(Protocol):
    """Chooses among the existing versions."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the versions to serve, a subset of `versions`."""
        ...


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions; 0 means 1, as in the protocol."""

    count: int = 1

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the highest versions."""
        return frozenset(sorted(versions, reverse=True)[: self.count or 1])


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return all versions."""
        return frozenset(versions)


@dataclass(frozen=True, slots=True)
class Specific:
    """The named versions, if they exist."""

    versions: frozenset[int]

    def choose(self, versions: Collection[int]) -> frozenset[int]:
        """Return the named versions that exist."""
        return self.versions.intersection(versions)
