"""Instances taken apart: the values that have attributions, and instances with some of them.

A value of an instance is a number, a string or `{"b64": …}`, or nested arrays of them. Each one is
a player of its own; the values of features in one group are one player together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..records import invalid
from .spec import Feature

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def leaves(value: Any) -> Iterator[Any]:
    """Yield the values of nested arrays, in order."""
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def rebuilt(value: Any, replacements: Iterator[Any]) -> Any:
    """Return nested arrays with other values in the same order."""
    if isinstance(value, list):
        return [rebuilt(item, replacements) for item in value]
    return next(replacements)


def is_keyed(instance: Any) -> bool:
    """Return whether an instance names its inputs."""
    return isinstance(instance, dict) and instance.keys() != {"b64"}


def value_of(instance: Any, feature: Feature, features: Sequence[Feature]) -> Any:
    """Return a feature's value in an instance; raises ApiError if it has none."""
    if is_keyed(instance):
        if feature.source not in instance:
            raise invalid(f"The instance has no value for the explained input `{feature.source}`.")
        return instance[feature.source]
    if len(features) != 1:
        raise invalid("Instances must name their inputs if several are explained.")
    return instance


def baseline_of(feature: Feature, value: Any, number: int) -> list[Any]:
    """Return the values of a baseline; raises ApiError if it has another shape than the value.

    A single one stands for all, and 0 for all where the feature has no baseline: which one the
    service chooses for text has no source.
    """
    own = list(leaves(value))
    if not feature.baselines:
        if all(isinstance(leaf, bool | int | float) for leaf in own):
            return [type(leaf)(0) for leaf in own]
        raise invalid(f"The explained input `{feature.key}` is not numeric: set input_baselines.")
    baseline = feature.baselines[number % len(feature.baselines)]
    if not isinstance(baseline, list):
        return [baseline] * len(own)
    if _shape(baseline) != _shape(value):
        raise invalid(
            f"A baseline of `{feature.key}` has the shape {_shape(baseline)}, and the input"
            f" {_shape(value)}."
        )
    return list(leaves(baseline))


def _shape(value: Any) -> list[Any]:
    """Return the lengths of nested arrays: one number for each array."""
    if not isinstance(value, list):
        return []
    below = [_shape(item) for item in value]
    same = all(shape == below[0] for shape in below)
    return [len(value), *(below[0] if below and same else below)]


def baselines(features: Sequence[Feature]) -> int:
    """Return the number of baselines; raises ApiError if features have different numbers."""
    counts = {len(feature.baselines) for feature in features} - {0, 1}
    if len(counts) > 1:
        raise invalid("The explained inputs have different numbers of baselines.")
    return max(counts, default=1)


@dataclass(frozen=True, slots=True)
class Mixture:
    """An instance and a baseline, and which player each of their values belongs to."""

    instance: Any
    features: Sequence[Feature]
    values: Sequence[Any]
    """The features' values in the instance."""
    own: Sequence[Any]
    base: Sequence[Any]
    players: npt.NDArray[np.int64]
    """The player of each value."""

    @classmethod
    def of(cls, instance: Any, features: Sequence[Feature], number: int) -> Mixture:
        """Take an instance apart beside a baseline; raises ApiError."""
        values = [value_of(instance, feature, features) for feature in features]
        own = [leaf for value in values for leaf in leaves(value)]
        base: list[Any] = []
        names: list[object] = []
        for feature, value in zip(features, values, strict=True):
            chosen = baseline_of(feature, value, number)
            names += [feature.group or (feature.key, place) for place in range(len(chosen))]
            base += chosen
        order = {name: place for place, name in enumerate(dict.fromkeys(names))}
        players = np.array([order[name] for name in names], dtype=np.int64)
        return cls(instance, features, values, own, base, players)

    @property
    def count(self) -> int:
        """Return the number of players."""
        return int(self.players.max(initial=-1)) + 1

    def with_players(self, mask: Mask) -> Any:
        """Return the instance with the values of these players, and the baseline's of others."""
        chosen = mask[self.players].tolist()
        mixed = iter(
            own if taken else base
            for own, base, taken in zip(self.own, self.base, chosen, strict=True)
        )
        parts = [rebuilt(value, mixed) for value in self.values]
        if not is_keyed(self.instance):
            return parts[0]
        named = {f.source: part for f, part in zip(self.features, parts, strict=True)}
        return {**self.instance, **named}

    def attributions(self, of_players: Floats) -> dict[str, Any]:
        """Return `feature_attributions`: each value's by its feature, one number for a group."""
        result: dict[str, Any] = {}
        shares = iter(of_players[self.players].tolist())
        for feature, value in zip(self.features, self.values, strict=True):
            nested = rebuilt(value, shares)
            if feature.group:
                result[feature.group] = next(leaves(nested), 0.0)
            else:
                result[feature.key] = nested
        return result


def mean(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the average of attributions that have one form."""
    every = list(parts)
    return {key: _mean([part[key] for part in every]) for key in every[0]}


def _mean(values: Sequence[Any]) -> Any:
    if isinstance(values[0], list):
        return [_mean(items) for items in zip(*values, strict=True)]
    return sum(values) / len(values)
