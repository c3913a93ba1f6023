"""The operations that a service of the offline clouds answers, by what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_READS = re.compile(
    r"(?:Describe|Filter|Get|Head|Invoke|List|Simulate)[A-Z]\w*"
    r"|(?:\w+\.)*(?:(?:get|list|query)(?:[A-Z]\w*)?|directRawPredict|explain|generateAccessToken"
    r"|predict|rawPredict|serverStreamingPredict|streamRawPredict|testIamPermissions|token|wait)"
)
_DESPITE_THEIR_NAMES = frozenset({"GetSessionToken", "InvokeEndpointAsync"})


class Treatment(StrEnum):
    """What becomes of a request to an operation."""

    KEPT = "kept"
    """It is validated and performed, and its result is in the data folder."""
    CHECKED = "checked"
    """It is validated and answered, and changes nothing."""
    EMPTY = "empty"
    """It is validated; the answer has no items, because none can be created."""


@dataclass(frozen=True, slots=True)
class Offers:
    """The operations that a service answers; it refuses all others by name."""

    service: str
    """The service's name in botocore or in Google's discovery directory."""
    performed: frozenset[str]
    empty: frozenset[str] = frozenset()

    def treatments(self) -> dict[str, Treatment]:
        """Return the treatment of each operation, by name."""
        found = {name: _treatment(name) for name in self.performed}
        found |= dict.fromkeys(self.empty, Treatment.EMPTY)
        return {name: found[name] for name in sorted(found)}


def offers(service: str, performed: Iterable[str], empty: Iterable[str] = ()) -> Offers:
    """Return the offers of a service."""
    return Offers(service, frozenset(performed), frozenset(empty))


def _treatment(name: str) -> Treatment:
    reads = name not in _DESPITE_THEIR_NAMES and _READS.fullmatch(name)
    return Treatment.CHECKED if reads else Treatment.KEPT
