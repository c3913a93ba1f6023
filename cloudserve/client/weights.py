"""Client-side A/B: shares of versions, the same version for the same key."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from cloudserve.errors import UserError

_BITS = 64


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of the requests by version: a number, a label, or on a target a revision.

    A key (a user, a session) has a place from 0 to 1: the first 64 bits of BLAKE2b over `salt`, a
    zero byte and the key in UTF-8, divided by 2^64. The versions have consecutive intervals of
    their shares, in the given order, and the key's version is the one whose interval has its place.
    So every process, also in another language, chooses alike, and a change of the shares moves only
    the keys between the old bounds and the new ones. Another `salt` divides the keys in another
    way. Requests without a key are divided at random.
    """

    shares: Mapping[str, float]
    salt: str = ""

    def __post_init__(self) -> None:
        """Raises UserError for no versions, and for shares that are negative or sum to nothing."""
        values = self.shares.values()
        if not all(math.isfinite(v) and v >= 0 for v in values) or not sum(values) > 0:
            raise UserError(
                "the weights must be numbers from 0, and one of them above 0",
                where=", ".join(f"{name}: {value}" for name, value in self.shares.items()),
                hint='such as Weights({"stable": 90, "canary": 10})',
            )

    def choose(self, key: str | None) -> str:
        """Return the version for a key, or for a request without one."""
        place = random.random() if key is None else self.place(key)  # noqa: S311 - a share
        point, reached = place * sum(self.shares.values()), 0.0
        names = [name for name, share in self.shares.items() if share > 0]
        for name in names:
            reached += self.shares[name]
            if point < reached:
                return name
        return names[-1]  # the sum of floats may end a little below the total

    def place(self, key: str) -> float:
        """Return the place of a key, from 0 to below 1."""
        data = f"{self.salt}\0{key}".encode()
        digest = hashlib.blake2b(data, digest_size=_BITS // 8).digest()
        # The upper 53 bits: a float has no more, and rounding up would give 1.
        return (int.from_bytes(digest, "big") >> (_BITS - 53)) / 2**53
