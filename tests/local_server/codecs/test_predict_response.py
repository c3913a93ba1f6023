"""Arrays to JSON: rows, columns, and that every number reads back unchanged."""

import json

import numpy as np
import pytest
from cloudserve.local_server.codecs import response
from cloudserve.local_server.codecs.json.reader import parse_json
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.codecs.response import encode_columns, encode_rows
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cloudserve.savedmodel.signature import Signature, TensorSpec


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def refusal(encode, outputs):
    with pytest.raises(StatusError) as caught:
        encode(outputs)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_one_output_is_unnamed_in_rows():
    assert encode_rows({"y": np.array([[1], [2.5]], np.float32)}) == (
        b'{\n    "predictions": [[1.0],[2.5]]\n}'
    )


def test_many_outputs_are_objects_in_rows():
    outputs = {"a": np.array([1, 2]), "b": np.array([[True], [False]])}
    assert json.loads(encode_rows(outputs)) == {
        "predictions": [{"a": 1, "b": [True]}, {"a": 2, "b": [False]}]
    }


def test_one_output_is_unnamed_in_columns_and_may_be_a_scalar():
    assert encode_columns({"y": np.array(3, np.float32)}) == b'{\n    "outputs": 3.0\n}'


def test_many_outputs_are_an_object_in_columns():
    outputs = {"a": np.array(0.1, np.float32), "b": np.array([[1, 2]], np.uint8)}
    assert encode_columns(outputs) == b'{\n    "outputs": {"a":0.1,"b":[[1,2]]}\n}'


def test_non_finite_floats_are_written_as_words_and_others_in_the_shortest_form():
    array = np.array([0.1, np.nan, np.inf, -np.inf], np.float32)
    assert encode_rows({"y": array}) == b'{\n    "predictions": [0.1,NaN,Infinity,-Infinity]\n}'
    several = json.loads(encode_rows({"y": array, "z": array[:, None]}))["predictions"]
    assert [str(row["y"]) for row in several] == ["0.1", "nan", "inf", "-inf"]
    assert [str(row["z"]) for row in several] == ["[0.1]", "[nan]", "[inf]", "[-inf]"]
    assert encode_columns({"y": array[1]}) == b'{\n    "outputs": NaN\n}'
    assert b"null" not in encode_rows({"y": array, "z": np.arange(4)})


def test_strings_are_their_bytes_valid_utf8_or_not():
    array = strings("é".encode(), b"\xff", b'"\\\n\x00')
    assert encode_rows({"y": array}) == (
        b'{\n    "predictions": ["\xc3\xa9","\xff","\\"\\\\\\n\\u0000"]\n}'
    )


def test_strings_of_an_alias_that_ends_in_bytes_are_base64():
    assert json.loads(encode_rows({"y_bytes": strings(b"\xff", b"a")})) == {
        "predictions": [{"b64": "/w=="}, {"b64": "YQ=="}]
    }


def test_arrays_that_are_not_contiguous_are_written_in_their_order():
    array = np.arange(6).reshape(2, 3).T
    assert json.loads(encode_columns({"y": array})) == {"outputs": array.tolist()}


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"y": np.array(1.0)}, "Tensor name: y has no shape information "),
        (
            {"a": np.zeros(2), "b": np.zeros(3)},
            "Tensor name: b has inconsistent batch size: 3 expecting: 2",
        ),
        (
            {"a": np.zeros(0), "b": np.zeros(3)},
            "Tensor name: b has inconsistent batch size: 3 expecting: 0",
        ),
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": np.zeros(1, np.uint16)}, "Failed to write JSON value for tensor type: uint16"),
        ({"y": np.zeros(1, np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_outputs_that_are_no_batch_are_refused_in_rows(outputs, text):
    assert refusal(encode_rows, outputs) == text


def test_an_element_type_that_json_does_not_carry_is_refused_in_columns():
    assert refusal(encode_columns, {"y": np.array(1, np.uint16)}) == (
        "Failed to write JSON value for tensor type: uint16"
    )


SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)
NUMBERS = [
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint32",
    "uint64",
    "bool",
]


@given(st.data(), st.sampled_from(NUMBERS), st.booleans())
def test_numbers_read_back_as_the_very_same(data, dtype, by_row):
    array = data.draw(hnp.arrays(dtype, SHAPES))
    encode, key = (encode_rows, "predictions") if by_row else (encode_columns, "outputs")
    read = parse_json(encode({"y": array}))[key]
    assert np.array(read, dtype).reshape(array.shape).tobytes() == array.tobytes() or (
        array.dtype.kind == "f" and np.array_equal(np.array(read, dtype), array, equal_nan=True)
    )


@given(st.data(), st.sampled_from([*NUMBERS, "string"]))
def test_a_response_is_read_back_as_a_request(data, dtype):
    if dtype == "string":
        values = data.draw(st.lists(st.binary(max_size=5), min_size=1))
        array, alias = strings(*values), data.draw(st.sampled_from(["x", "x_bytes"]))
    else:
        shape = hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)
        array, alias = data.draw(hnp.arrays(dtype, shape)), "x"
    body = encode_rows({alias: array}).replace(b'"predictions"', b'"instances"', 1)
    spec = TensorSpec("x", "x:0", dtype, None)
    taken = parse_request(body).decode(Signature("s", "", (spec,), ()))["x"]
    assert taken.shape == array.shape
    assert repr(taken.tolist()) == repr(array.tolist())


# Large answers.


@pytest.mark.parametrize("shape", [(7,), (5, 3), (3, 0), (0, 4), (2, 3, 4), (1, 50), (4, 1, 1, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.bool_])
@pytest.mark.parametrize("at_once", [1, 2, 5, 13])
def test_a_large_array_is_written_in_pieces_as_it_is_at_once(monkeypatch, shape, dtype, at_once):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    if array.dtype.kind == "f" and array.size:
        array.flat[array.size // 2] = np.inf
    answers = [{"y": array}, {"y": array, "z": array}]
    expected = [*map(response.encode_columns, answers)], response.encode_rows(answers[0])
    monkeypatch.setattr(response, "_WRITTEN_AT_ONCE", at_once)
    assert ([*map(response.encode_columns, answers)], response.encode_rows(answers[0])) == expected
