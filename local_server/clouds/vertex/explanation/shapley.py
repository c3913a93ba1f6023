"""Sampled Shapley attributions: what each player adds, averaged over orders of all players.

Source: aiplatform v1, SampledShapleyAttribution (https://arxiv.org/abs/1306.4265): `path_count` is
the number of permutations. If there are no more permutations than that, each is taken once, and the
values are exact.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .values import Floats, Mask

Evaluate = Callable[[Mask], Floats]
"""Returns the explained outputs (rows x outputs) for rows of players that are present."""


ROWS = 64
"""Rows that are evaluated together."""
_FEW = 10
"""The factorial of this is above any number of paths."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Attributions (players x outputs), their error, and the outputs at both ends."""

    values: Floats
    error: Floats
    baseline: Floats
    instance: Floats


def sampled_shapley(evaluate: Evaluate, players: int, paths: int, rng: random.Random) -> Estimate:
    """Return the attributions of players.

    The sum over the players is the difference of the two outputs, in each path and so in all. The
    error is the standard error of the values relative to that difference; how the service
    calculates it has no source.
    """
    added: list[Floats] = []
    outputs = np.zeros((players + 1, 0))
    for order in _orders(players, paths, rng):
        outputs = np.concatenate([evaluate(rows) for rows in _path(order)])
        contributions = np.empty((players, outputs.shape[1]))
        contributions[list(order)] = np.diff(outputs, axis=0)
        added.append(contributions)
    samples = np.array(added)
    is_exact = _has_all(players, paths)
    spread = np.zeros(samples.shape[2]) if is_exact else _standard_error(samples)
    baseline, instance = outputs[0], outputs[-1]
    error = relative(spread, instance - baseline)
    return Estimate(samples.mean(axis=0), error, baseline, instance)


def relative(error: Floats, difference: Floats) -> Floats:
    """Return errors as shares of a difference; as they are where there is none."""
    size = np.abs(difference)
    return np.where(size > 0, error / np.where(size > 0, size, 1), error)


def _standard_error(samples: Floats) -> Floats:
    if len(samples) == 1:
        return np.zeros(samples.shape[2])
    variance = samples.var(axis=0, ddof=1).sum(axis=0)
    result: Floats = np.sqrt(variance / len(samples))
    return result


def _has_all(players: int, paths: int) -> bool:
    """Return whether there are no more orders than paths."""
    return players < _FEW and math.factorial(players) <= paths


def _orders(players: int, paths: int, rng: random.Random) -> Iterator[tuple[int, ...]]:
    if _has_all(players, paths):
        yield from permutations(range(players))
        return
    for _ in range(paths):
        yield tuple(rng.sample(range(players), players))


def _path(order: tuple[int, ...]) -> Iterator[Mask]:
    """Yield the rows of a path: nobody, then one more player in each, in this order.

    They come in blocks: a picture has a hundred thousand players.
    """
    place = np.empty(len(order), dtype=np.int64)
    place[list(order)] = np.arange(len(order))
    for start in range(0, len(order) + 1, ROWS):
        present = np.arange(start, min(start + ROWS, len(order) + 1))
        mask: Mask = place[None, :] < present[:, None]
        yield mask
