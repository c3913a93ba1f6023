"""Values of inputs: the dtypes that they become, and values that an input does not take."""

from __future__ import annotations

import numpy as np
import pytest
from cloudserve.local_server.run.inputs import read_inputs, to_tensor

from cloudserve.errors import UserError
from cloudserve.local.model_run import Examples
from cloudserve.savedmodel import Signature, TensorSpec


def spec(dtype):
    return TensorSpec("x", "x:0", dtype, (None,))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "int64", "float16", "bfloat16"])
def test_whole_numbers_become_every_type_of_number(dtype):
    array = to_tensor([0, 127], spec(dtype))
    assert (array.dtype.name, array.tolist()) == (dtype, [0, 127])


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        ("uint8", [256], "a value is out of the range of uint8"),
        ("uint64", [-1], "a value is out of the range of uint64"),
        ("float16", [1e5], "a value is out of the range of float16"),
        ("float32", [0.5, -1e39], "a value is out of the range of float32"),
        ("uint8", [0.5], "it has float64 values"),
        ("bool", [1], "it has int64 values"),
        ("resource", [1], "numpy has no dtype for resource"),
        ("string", [np.ones((2, 3)), np.ones((2, 4))], "could not broadcast"),
        ("string", ["\ud800"], "surrogates not allowed"),
    ],
)
def test_a_value_that_an_input_does_not_take_is_one_error(dtype, value, text):
    with pytest.raises(UserError, match=text):
        to_tensor(value, spec(dtype))


def test_nan_and_infinities_are_numbers():
    values = [float("nan"), float("inf"), -float("inf")]
    assert str(to_tensor(values, spec("bfloat16")).tolist()) == "[nan, inf, -inf]"


@pytest.mark.parametrize("text", ["[{[]: 1}]", "[{1: [1]}]", "[{'a': ['\\ud800']}]", "[1]", "x"])
def test_other_examples_are_one_error(text):
    signature = Signature("predict", "", (spec("string"),), ())
    with pytest.raises(UserError, match="Example"):
        read_inputs({"x": Examples(text)}, signature)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('[{"a": [True, False]}]', '[{"a": [true, false]}]'),
        ("[{'a': [b'cat']}]", '[{"a": ["cat"]}]'),
        ("[{'a': [1.5]}]", '{"a": 1.5}'),
    ],
)
def test_examples_are_literals_or_json(literal, text):
    signature = Signature("predict", "", (spec("string"),), ())
    one, other = (
        read_inputs({"x": Examples(each)}, signature)["x"].tolist() for each in (literal, text)
    )
    assert one == other


def test_null_in_an_example_is_refused_by_its_name():
    signature = Signature("predict", "", (spec("string"),), ())
    with pytest.raises(UserError, match=r"an Example is invalid: .*age.*: Null"):
        read_inputs({"x": Examples('[{"age": [null]}]')}, signature)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1j", "a value of Python's type complex"),
        ("{1}", "a value of Python's type set"),
        ("[(1, 2)]", "a value of Python's type tuple"),
        ("...", "a value of Python's type ellipsis"),
        ("-9223372036854775809", "-9223372036854775809 is less than an int64 holds"),
    ],
)
def test_a_literal_that_no_feature_holds_is_one_error(value, text):
    signature = Signature("predict", "", (spec("string"),), ())
    with pytest.raises(UserError, match=f"an Example is invalid: {text}"):
        read_inputs({"x": Examples(f"[{{'age': {value}}}]")}, signature)
