"""An endpoint's traffic split: which deployed model gets how many of a hundred requests."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from ..records import invalid

NEW = "0"
"""The key of the model that is being deployed."""
_WHOLE = 100

Split = Mapping[str, int]


def check_split(split: Split, deployed: Collection[str]) -> None:
    """Refuse a split that does not add up or names a model that is not deployed (ApiError)."""
    unknown = sorted(split.keys() - set(deployed))
    if unknown:
        raise invalid(f"The following DeployedModel ID(s) [{', '.join(unknown)}] do not exist.")
    for key, share in split.items():
        if not 0 <= share <= _WHOLE:
            raise invalid(f"The traffic share of DeployedModel `{key}` is {share}, not 0 to 100.")
    total = sum(split.values())
    if split and total != _WHOLE:
        raise invalid(f"The traffic split adds up to {total}; it has to be 100, or empty.")


def with_new(split: Split, deployed_id: str) -> dict[str, int]:
    """Return a split with the new model's real ID in place of "0"."""
    return {(deployed_id if key == NEW else key): share for key, share in split.items()}


def choose(split: Split, chance: random.Random) -> str:
    """Draw the deployed model that answers a request; the split is not empty."""
    return chance.choices(list(split), list(split.values()))[0]
