"""The properties of attributions, on functions whose attributions are known."""

from __future__ import annotations

import random

import numpy as np
import pytest
from cloudserve.local_server.clouds.vertex.explanation.integrated import integrated_gradients
from cloudserve.local_server.clouds.vertex.explanation.shapley import sampled_shapley
from hypothesis import given, settings
from hypothesis import strategies as st

NUMBERS = st.floats(-100, 100, allow_nan=False, width=32)


def game(weights, pair):
    """Return an additive game of players, in which the first two also have a joint effect."""

    def evaluate(masks):
        rows = masks.astype(float)
        return (rows @ np.array(weights) + pair * rows[:, 0] * rows[:, 1])[:, None]

    return evaluate


@settings(max_examples=25)
@given(st.lists(NUMBERS, min_size=2, max_size=12), NUMBERS, st.integers(1, 20), st.integers())
def test_shapley_values_add_up_to_the_difference_of_the_outputs(weights, pair, paths, seed):
    evaluate = game(weights, pair)
    found = sampled_shapley(evaluate, len(weights), paths, random.Random(seed))
    assert found.values.sum() == pytest.approx(found.instance[0] - found.baseline[0], abs=1e-6)
    assert found.baseline == [0.0]
    assert found.error[0] >= 0


@settings(max_examples=25)
@given(st.lists(NUMBERS, min_size=3, max_size=12), st.integers(1, 20), st.integers())
def test_players_of_an_additive_game_get_what_they_add(weights, paths, seed):
    found = sampled_shapley(game(weights, 0.0), len(weights), paths, random.Random(seed))
    assert found.values[:, 0] == pytest.approx(weights, abs=1e-6)


@settings(max_examples=25)
@given(st.lists(NUMBERS, min_size=3, max_size=12), st.integers(1, 20), st.integers())
def test_a_player_without_effect_gets_nothing(weights, paths, seed):
    weights[-1] = 0.0
    found = sampled_shapley(game(weights, 3.0), len(weights), paths, random.Random(seed))
    assert found.values[-1, 0] == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=25)
@given(NUMBERS, NUMBERS, st.permutations(range(4)))
def test_with_all_orders_the_values_are_exact_and_do_not_depend_on_the_players_order(
    weight, pair, order
):
    """24 paths are the orders of four players: those with the same effect share a joint one."""
    weights = np.array([weight, weight, 1.0, 0.0])

    def shuffled(masks):
        rows = np.empty_like(masks)
        rows[:, list(order)] = masks
        return game(weights, pair)(rows)

    found = sampled_shapley(shuffled, 4, 24, random.Random(1))
    expected = np.array([weight + pair / 2, weight + pair / 2, 1.0, 0.0])
    assert found.values[:, 0] == pytest.approx(expected[list(order)], abs=1e-6)
    assert found.error == [0.0]


def test_more_paths_make_the_error_smaller():
    evaluate = game([1.0] * 12, 40.0)
    few, many = (
        np.mean([sampled_shapley(evaluate, 12, paths, random.Random(s)).error for s in range(9)])
        for paths in (8, 50)
    )
    assert 0 < many < few


def test_a_path_of_many_players_is_evaluated_in_blocks():
    rows = []

    def evaluate(masks):
        rows.append(len(masks))
        return masks.sum(axis=1, dtype=float)[:, None]

    found = sampled_shapley(evaluate, 130, 1, random.Random(0))
    assert rows == [64, 64, 3]
    assert found.values[:, 0] == pytest.approx([1.0] * 130)


def test_several_outputs_are_explained_by_the_same_paths():
    def evaluate(masks):
        first = game([1.0, 2.0, 3.0], 0.0)(masks)
        return np.hstack([first, -2 * first])

    found = sampled_shapley(evaluate, 3, 2, random.Random(0))
    assert found.values[:, 1] == pytest.approx(-2 * found.values[:, 0])


@settings(max_examples=25)
@given(st.lists(NUMBERS, min_size=1, max_size=8), st.integers(2, 100))
def test_integrated_gradients_of_a_cubic_are_exact(values, steps):
    """Gaussian quadrature with two points is exact for the quadratic gradients."""
    instance = {"x": np.array(values, np.float64)}
    baseline = {"x": np.full(len(values), 0.5)}
    found = integrated_gradients(lambda at: {"x": 3 * at["x"] ** 2}, instance, baseline, steps)
    assert found["x"] == pytest.approx(instance["x"] ** 3 - 0.125, rel=1e-6, abs=1e-6)


def test_each_input_keeps_its_shape_and_dtype():
    shapes = {"a": (2, 3), "b": ()}
    instance = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    baseline = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    seen = {}

    def gradients(points):
        seen.update(points)
        return {name: np.full_like(array, 2.0) for name, array in points.items()}

    found = integrated_gradients(gradients, instance, baseline, 7)
    assert {name: array.shape for name, array in found.items()} == shapes
    assert {name: array.shape[0] for name, array in seen.items()} == {"a": 7, "b": 7}
    assert {array.dtype for array in seen.values()} == {np.dtype(np.float32)}
    assert found["a"] == pytest.approx(2.0)
