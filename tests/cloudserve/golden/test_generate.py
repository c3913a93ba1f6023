"""Requests made up from signatures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudserve.golden.generate import generate
from cloudserve.savedmodel.signature import Signature, TensorSpec

PREDICT = "tensorflow/serving/predict"


def signature(*inputs, name="serving_default", method=PREDICT):
    specs = tuple(TensorSpec(alias, f"{alias}:0", dtype, shape) for alias, dtype, shape in inputs)
    return Signature(name, method, specs, ())


def test_the_same_seed_gives_the_same_requests():
    signatures = [signature(("x", "float32", (None, 4)))]
    assert generate(signatures, 5, seed=7) == generate(signatures, 5, seed=7)
    assert generate(signatures, 5, seed=7) != generate(signatures, 5, seed=8)


def test_a_single_input_by_row_is_sent_as_its_values():
    for request in generate([signature(("x", "float32", (None, 2)))], 10, 0):
        assert set(request) == {"instances"}
        assert 1 <= len(request["instances"]) <= 3
        assert all(len(row) == 2 and -1 <= row[0] <= 1 for row in request["instances"])


def test_several_inputs_by_row_are_named_in_each_row():
    (request,) = generate([signature(("a", "int64", (None,)), ("b", "string", (None, 1)))], 1, 0)
    assert all(set(row) == {"a", "b"} and row["a"] in {0, 1} for row in request["instances"])


def test_inputs_with_a_default_are_given_if_there_is_no_other():
    inputs = (("a", "int64", (None,)), ("b", "int64", (None,)))
    one = replace(signature(*inputs), defaults=("b",))
    (request,) = generate([one], 1, 0)
    assert request["instances"][0] in {0, 1}
    (request,) = generate([replace(one, defaults=("a", "b"))], 1, 0)
    assert set(request["instances"][0]) == {"a", "b"}


def test_an_input_without_an_open_first_dimension_is_sent_as_a_column():
    (request,) = generate([signature(("a", "bool", ()), ("b", "float64", (2, None)))], 1, 0)
    assert isinstance(request["inputs"]["a"], bool)
    assert [len(row) for row in request["inputs"]["b"]] == [1, 1]


def test_signatures_take_turns_and_those_that_no_request_can_be_made_for_are_left_out():
    signatures = [
        signature(("x", "float32", None)),
        signature(("x", "float32", (None,)), name="other"),
        signature(("x", "complex64", (None,)), name="complex"),
        signature(("x", "string", (None,)), name="classify", method="tensorflow/serving/classify"),
        signature(("x", "string", ()), name="__saved_model_init_op", method=""),
        signature(name="nothing"),
    ]
    names = [request.get("signature_name") for request in generate(signatures, 4, 0)]
    assert names == [None, "other", None, "other"]
    assert generate(signatures[2:], 4, 0) == []


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16"])
def test_small_types_have_values(dtype):
    assert generate([signature(("x", dtype, (None,)))], 1, 0)
