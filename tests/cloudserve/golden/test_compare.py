"""Answers are compared output by output: numbers within a tolerance, all else exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.golden.compare import Comparison
from cloudserve.golden.file import Golden, Header, Tolerance
from cloudserve.golden.labels import count_right

EXACT = Tolerance()


def compared(expected, actual, tolerance=EXACT, outputs=None):
    golden = Golden(Header(tolerance=tolerance, outputs=outputs or {}), ())
    comparison = Comparison(golden)
    is_equal = comparison.add(expected, actual, "request 1")
    return is_equal, comparison.deviations


def first(expected, actual, **options):
    is_equal, deviations = compared(expected, actual, **options)
    assert not is_equal
    return next(one.first for one in deviations.values() if one.outside)


def rows(*values):
    return {"predictions": list(values)}


ANSWERS = st.recursive(
    st.integers(-5, 5) | st.floats(allow_nan=True) | st.text(max_size=3) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "b64"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(ANSWERS)
def test_an_answer_is_equal_to_itself(answer):
    assert compared({"predictions": answer}, {"predictions": answer})[0]


def test_members_of_the_platform_beside_the_answer_are_not_compared():
    result = rows(1.0) | {"deployedModelId": "7"}
    assert compared(rows(1.0), result)[0]


def test_each_output_has_its_own_tolerance_and_deviation():
    expected = rows({"scores": [0.5, 0.5], "size": 1.0})
    result = rows({"scores": [0.5, 0.6], "size": 1.1})
    is_equal, deviations = compared(expected, result, outputs={"size": Tolerance(relative=0.2)})
    assert not is_equal
    assert (deviations["scores"].values, deviations["scores"].outside) == (2, 1)
    assert deviations["scores"].first == "request 1, predictions[0].scores[1]: 0.6 instead of 0.5"
    assert deviations["size"].outside == 0
    assert deviations["size"].absolute == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("expected", "actual", "text"),
    [
        (rows(1), rows(2), "request 1, predictions[0]: 2 instead of 1"),
        (rows(2), rows(2.5), "request 1, predictions[0]: 2.5 instead of 2"),
        (rows("a"), rows("b"), "request 1, predictions[0]: 'b' instead of 'a'"),
        (rows(True), rows(1), "request 1, predictions[0]: 1 instead of True"),
        (rows(None), rows(0.0), "request 1, predictions[0]: 0.0 instead of None"),
        (rows(1.0), rows(1.0, 2.0), "request 1, predictions: a list of 2 instead of a list of 1"),
        (rows([1.0]), rows(1.0), "request 1, predictions[0]: 1.0 instead of a list of 1"),
        (
            rows({"a": 1, "b": 2}),
            rows({"a": 1}),
            "request 1, predictions[0]: an object of a instead of an object of a, b",
        ),
        (
            rows({"b64": "AA=="}),
            rows({"b64": "AQ=="}),
            "request 1, predictions[0]: the bytes 'AQ==' instead of the bytes 'AA=='",
        ),
        (rows(1), {"outputs": [1]}, "request 1: the answer has no `predictions`"),
    ],
)
def test_anything_else_is_compared_exactly(expected, actual, text):
    assert first(expected, actual, tolerance=Tolerance(9, 9, 9)) == text


def test_columns_are_compared_like_rows():
    assert compared({"outputs": {"y": [1.0]}}, {"outputs": {"y": [1.0]}})[0]
    assert "outputs.y[0]" in first({"outputs": {"y": [1.0]}}, {"outputs": {"y": [2.0]}})


@pytest.mark.parametrize(
    ("predictions", "labels", "right"),
    [
        ([[0.1, 0.9], [0.9, 0.1]], [1, 1], 1),
        (["cat", "dog"], ["cat", "dog"], 2),
        ([[3], [4]], [3, 5], 1),
        ([7, 8], [7, 8], 2),
    ],
)
def test_a_label_is_an_answer_or_the_place_of_the_greatest_score(predictions, labels, right):
    assert count_right({"predictions": predictions}, labels, "", "request 1") == right


def test_the_label_of_a_model_with_several_outputs_is_named():
    answer = {"predictions": [{"label": "cat", "scores": [0.0, 1.0]}]}
    assert count_right(answer, ["cat"], "label", "request 1") == 1
    assert count_right(answer, [1], "scores", "request 1") == 1
    with pytest.raises(UserError, match="no output `` to compare labels with") as caught:
        count_right(answer, ["cat"], "", "request 1")
    assert caught.value.hint == "set `label` in the header to one of label, scores"


@pytest.mark.parametrize("answer", [{"outputs": [1]}, {"predictions": [1]}])
def test_labels_need_as_many_predictions(answer):
    with pytest.raises(UserError, match="an answer to 2 labels needs as many `predictions`"):
        count_right(answer, [1, 2], "", "request 1")


@pytest.mark.parametrize("prediction", [None, [], [[1.0]], ["a", "b"]])
def test_an_answer_of_another_form_has_no_label(prediction):
    with pytest.raises(UserError, match="neither a label nor a list of scores"):
        count_right({"predictions": [prediction]}, [1], "", "request 1")
