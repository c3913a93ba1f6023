"""An endpoint's traffic split: the share of each deployed model, in percent."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from ..records import invalid

NEW = "0"
"""The key of the model in deployment."""
_WHOLE = 100

Split = Mapping[str, int]


def check_split(split: Split, deployed: Collection[str]) -> None:
    """Refuse a split with a wrong sum, or with a model that is not deployed (ApiError)."""
    unknown = sorted(split.keys() - set(deployed))
    if unknown:
        raise invalid(f"The following DeployedModel ID(s) [{', '.join(unknown)}] do not exist.")
    for key, share in split.items():
        if not 0 <= share <= _WHOLE:
            raise invalid(f"The traffic share of DeployedModel `{key}` is {share}, not 0 to 100.")
    total = sum(split.values())
    if split and total != _WHOLE:
        raise invalid(f"The traffic split adds up to {total}; it must be 100, or empty.")


def with_new(split: Split, deployed_id: str) -> dict[str, int]:
    """Return a split with the new model's real ID in place of "0"."""
    return {(deployed_id if key == NEW else key): share for key, share in split.items()}


def choose(split: Split, rng: random.Random) -> str:
    """Draw the deployed model for a request; the split must not be empty."""
    return rng.choices(list(split), list(split.values()))[0]
