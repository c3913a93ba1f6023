"""A predict request's rows and columns to arrays, and the exact texts of errors."""

import numpy as np
import pytest
from cloudserve.local_server.status import Code

from .conftest import assert_array, decode, refusal, signature

TWO = signature(a="int32", b="string")


# Rows.


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([1, 2.5], [1.0, 2.5]),
        ([[1], [2]], [[1.0], [2.0]]),
        ([[[1, 2]], [[3, 4]]], [[[1.0, 2.0]], [[3.0, 4.0]]]),
        ([[], []], [[], []]),
        ([{"x": 1}, {"x": 2}], [1.0, 2.0]),
        ([{"x": [1, 2]}], [[1.0, 2.0]]),
    ],
)
def test_rows_of_one_input_are_values_or_objects(instances, expected):
    assert_array(decode({"instances": instances})["x"], expected, np.float32)


def test_rows_of_many_inputs_are_objects():
    arrays = decode({"instances": [{"a": [1], "b": "p"}, {"b": {"b64": "/w=="}, "a": [2]}]}, TWO)
    assert_array(arrays["a"], [[1], [2]], np.int32)
    assert_array(arrays["b"], [b"p", b"\xff"], object)


@pytest.mark.parametrize(
    ("instances", "text"),
    [
        (
            [1, "x"],
            (
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                'JSON Value: "x" Type: String is not of expected type: float'
            ),
        ),
        (
            [[1, 2], [3]],
            (
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting tensor size: 2 but got: 1"
            ),
        ),
        (
            [[1, 2], [[3, 4]]],
            (
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting shape [2] but got: [1,2]"
            ),
        ),
        (
            [1, [2]],
            (
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting shape [] but got: [1]"
            ),
        ),
        (
            [[[1], [2, 3]]],
            (
                "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
                "Encountered list at unexpected size: 2 at level: 1 expected size: 1"
            ),
        ),
        ([{"x": 1}, [2]], "Expecting object but got list at item 1 of input list"),
        ([1, {"x": 2}], "Expecting value/list but got object at item 1 of input list"),
        (
            [{"x": 1}, {"x": True}],
            (
                "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
                "JSON Value: true Type: True is not of expected type: float"
            ),
        ),
        (
            [{"x": 1, "y": 2}],
            (
                "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT: "
                "JSON object: does not have named input: y"
            ),
        ),
        (
            [{"x": 1}, {}],
            (
                "Failed to process element: 1 of 'instances' list. JSON object: {} "
                "keys must be equal to: x"
            ),
        ),
    ],
)
def test_rows_that_do_not_fit_say_which_and_why(instances, text):
    error = refusal({"instances": instances})
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


def test_rows_that_lack_an_input_are_printed_with_the_names_wanted():
    assert refusal({"instances": [{"a": [1, 2]}]}, TWO).message == (
        "Failed to process element: 0 of 'instances' list. JSON object: "
        '{\n    "a": [1, 2]\n} keys must be equal to: a,b'
    )


def test_rows_that_are_values_do_for_one_input_only():
    assert refusal({"instances": [1]}, TWO).message == (
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map"
    )


def test_an_element_type_that_json_does_not_carry_is_wrapped_in_rows():
    error = refusal({"instances": [1]}, signature(x="uint16"))
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == (
        "Failed to process element: 0 of 'instances' list. "
        "Error: UNIMPLEMENTED: Conversion of JSON Value: 1 to type: uint16"
    )


# Columns.


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [(1, 1.0), ([1, 2], [1.0, 2.0]), ([[], []], [[], []]), ({"x": [[1]]}, [[1.0]])],
)
def test_columns_of_one_input_are_the_tensor_or_an_object(inputs, expected):
    assert_array(decode({"inputs": inputs})["x"], expected, np.float32)


def test_columns_of_many_inputs_may_differ_in_size_and_have_other_names_beside():
    arrays = decode({"inputs": {"a": [1, 2], "b": "p", "c": None}}, TWO)
    assert arrays.keys() == {"a", "b"}
    assert_array(arrays["a"], [1, 2], np.int32)
    assert_array(arrays["b"], b"p", object)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"y": 1}, "Missing named input: x in 'inputs' object."),
        (
            [[1, 2], [3, 4, 5]],
            "Encountered list at unexpected size: 3 at level: 1 expected size: 2",
        ),
        ([1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        (
            [[1], 2],
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ([None], "JSON Value: null Type: Null is not of expected type: float"),
        ([False], "JSON Value: false Type: False is not of expected type: float"),
        (
            {"x": {"y": 1}},
            'JSON Value: {\n    "y": 1\n} Type: Object is not of expected type: float',
        ),
        (
            {"b64": "AA=="},
            'JSON Value: {\n    "b64": "AA=="\n} Type: Object is not of expected type: float',
        ),
    ],
)
def test_columns_that_do_not_fit_say_why(inputs, text):
    error = refusal({"inputs": inputs})
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


def test_columns_that_are_a_value_do_for_one_input_only():
    assert refusal({"inputs": [1]}, TWO).message == (
        "inputs is a plain value/list, but expecting an object as multiple input tensors "
        "required as per tensorinfo_map"
    )


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        ("uint16", "uint16"),
        ("complex64", "complex64"),
        ("float32_ref", "float_ref"),
        ("float16_ref", "half_ref"),
    ],
)
def test_an_element_type_that_json_does_not_carry_is_unimplemented_in_columns(dtype, word):
    error = refusal({"inputs": [1]}, signature(x=dtype))
    assert error.code is Code.UNIMPLEMENTED
    assert error.message == f"Conversion of JSON Value: 1 to type: {word}"
