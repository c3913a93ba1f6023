"""Instances taken apart and put together again."""

from __future__ import annotations

import numpy as np
import pytest
from cloudserve.local_server.clouds.vertex.explanation.outputs import (
    chosen,
    display_name,
    numbers,
)
from cloudserve.local_server.clouds.vertex.explanation.spec import Feature, Output, Spec
from cloudserve.local_server.clouds.vertex.explanation.values import (
    Mixture,
    baselines,
    leaves,
    mean,
    rebuilt,
)
from cloudserve.local_server.status import StatusError
from hypothesis import given
from hypothesis import strategies as st

NESTED = st.recursive(st.floats(-9, 9) | st.text(), lambda below: st.lists(below, max_size=4))


@given(NESTED)
def test_values_in_order_make_the_same_arrays_again(value):
    assert rebuilt(value, leaves(value)) == value


@given(st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=1, max_size=4))
def test_everybody_is_the_instance_and_nobody_the_baseline(rows):
    mixture = Mixture.of({"x": rows, "other": 7}, [Feature("key", "x", "", [1.0])], 0)
    everybody, nobody = np.ones(mixture.count, bool), np.zeros(mixture.count, bool)
    assert mixture.with_players(everybody) == {"x": rows, "other": 7}
    assert mixture.with_players(nobody) == {"x": [[1.0, 1.0]] * len(rows), "other": 7}
    shares = mixture.attributions(np.arange(mixture.count, dtype=float))
    assert list(leaves(shares["key"])) == list(range(2 * len(rows)))


def test_a_group_is_one_player_with_one_attribution():
    features = [Feature("a", "a", "g"), Feature("b", "b", "g"), Feature("c", "c")]
    mixture = Mixture.of({"a": [1, 2], "b": 3, "c": 4}, features, 0)
    assert mixture.count == 2
    assert mixture.with_players(np.array([True, False])) == {"a": [1, 2], "b": 3, "c": 0}
    assert mixture.attributions(np.array([0.5, 0.25])) == {"g": 0.5, "c": 0.25}


def test_an_instance_of_one_input_may_be_a_plain_value():
    mixture = Mixture.of({"b64": "aGk="}, [Feature("text", "in", "", [{"b64": ""}])], 0)
    assert mixture.with_players(np.array([False])) == {"b64": ""}


@pytest.mark.parametrize(
    ("instance", "features", "text"),
    [
        ({"y": 1}, [Feature("x", "x")], "no value for the explained input `x`"),
        ([1], [Feature("x", "x"), Feature("y", "y")], "must name their inputs"),
        ("text", [Feature("x", "x")], "is not numeric: set input_baselines"),
        ([1, 2], [Feature("x", "x", "", [[0, 0, 0]])], r"has the shape \[3\], and the input \[2\]"),
    ],
)
def test_an_instance_that_cannot_be_explained(instance, features, text):
    with pytest.raises(StatusError, match=text):
        Mixture.of(instance, features, 0)


def test_features_have_one_number_of_baselines():
    one, two, three = (Feature("f", "f", "", [0] * count) for count in (1, 2, 3))
    assert baselines([one, two, Feature("f", "f")]) == 2
    with pytest.raises(StatusError, match="different numbers of baselines"):
        baselines([two, three])


def test_attributions_against_several_baselines_are_averaged():
    assert mean([{"x": [1.0, 2.0], "g": 3.0}, {"x": [3.0, 2.0], "g": 4.0}]) == {
        "x": [2.0, 2.0],
        "g": 3.5,
    }


OUTPUT = Output("scores", "scores", ["a", "b", "c"])


def spec(**fields):
    return Spec("sampledShapleyAttribution", 1, [], OUTPUT, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [(1,)]),
        ({"top": 2}, [(1,), (2,)]),
        ({"top": -1}, [(1,), (2,), (0,)]),
        ({"indices": [(2,), (0,)], "top": 3}, [(2,), (0,)]),
    ],
)
def test_the_largest_output_is_explained_unless_others_are_named(fields, expected):
    assert chosen(spec(**fields), np.array([0.1, 0.7, 0.2])) == expected


def test_a_single_number_has_no_index():
    assert chosen(spec(), np.array(0.5)) == [()]
    assert chosen(spec(), np.array([[1.0, 5.0], [9.0, 0.0]])) == [(1, 0)]


def test_an_index_outside_of_the_output_is_refused():
    for index in ((3,), (0, 0), (-1,)):
        with pytest.raises(StatusError, match="is not an index in it"):
            chosen(spec(indices=[index]), np.array([0.1, 0.7, 0.2]))


def test_names_come_from_the_metadata_or_from_the_prediction():
    assert display_name(OUTPUT, {}, (1,)) == "b"
    assert display_name(OUTPUT, {}, (9,)) == ""
    named = Output("scores", "scores", None, "classes")
    assert display_name(named, {"classes": ["cat", "dog"]}, (1,)) == "dog"
    assert display_name(named, [0.5], (0,)) == ""


@pytest.mark.parametrize("prediction", ["text", {"other": 1.0}, ["a"], [[1.0], [1.0, 2.0]]])
def test_an_output_without_numbers_cannot_be_explained(prediction):
    with pytest.raises(StatusError):
        numbers(OUTPUT, prediction)
