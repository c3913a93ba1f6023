"""TensorFlow Serving's own layout of answers, byte by byte (json_tensor.cc)."""

import json

import numpy as np
import pytest
from cloudserve.local_server.codecs.json.layout import COMPACT, PRETTY
from cloudserve.local_server.codecs.json.reader import parse_json
from cloudserve.local_server.codecs.json.text import decimal_text, quote
from cloudserve.local_server.status import StatusError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_rows_of_one_output_are_on_one_line_but_for_the_last_bracket():
    assert PRETTY.rows({"y": np.array([2.5, 3, 4.5], np.float32)}) == (
        b'{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    )
    assert PRETTY.rows({"y": np.array([[1, 2], [3, 4]])}) == (
        b'{\n    "predictions": [[1, 2], [3, 4]\n    ]\n}'
    )


def test_rows_of_many_outputs_are_objects_on_lines_of_their_own():
    outputs = {"a": np.array([1, 2]), "b": np.array([[True, False], [False, True]])}
    assert PRETTY.rows(outputs).decode() == (
        '{\n    "predictions": [\n'
        '        {\n            "a": 1,\n            "b": [true, false]\n        },\n'
        '        {\n            "a": 2,\n            "b": [false, true]\n        }\n'
        "    ]\n}"
    )


def test_columns_have_a_line_for_each_element():
    assert PRETTY.columns({"y": np.array(3, np.float32)}) == b'{\n    "outputs": 3.0\n}'
    assert PRETTY.columns({"y": np.array([[1, 2]])}).decode() == (
        '{\n    "outputs": [\n        [\n            1,\n            2\n        ]\n    ]\n}'
    )
    assert PRETTY.columns({"a": np.array(1), "b": np.array([2])}).decode() == (
        '{\n    "outputs": {\n        "a": 1,\n        "b": [\n            2\n        ]\n    }\n}'
    )


def test_bytes_are_objects_indented_by_their_depth():
    assert PRETTY.rows({"y_bytes": strings(b"\xff", b"a")}).decode() == (
        '{\n    "predictions": [{\n            "b64": "/w=="\n        }, '
        '{\n            "b64": "YQ=="\n        }\n    ]\n}'
    )


def test_strings_are_their_bytes_with_rapidjsons_escapes():
    assert PRETTY.rows({"y": strings(b"\xff", b'"\\/\n\x1f\x7f')}) == (
        b'{\n    "predictions": ["\xff", "\\"\\\\/\\n\\u001F\x7f"\n    ]\n}'
    )


@given(text=st.text(st.sampled_from('\\"\n\0\x1f\x7f/uaé😀\udc80'), max_size=4))
def test_long_strings_are_escaped_as_short_ones(text):
    assert quote(text * 4096)[1:-1] == quote(text)[1:-1] * 4096


def test_empty_lists_are_written_on_one_line():
    assert PRETTY.rows({"y": np.zeros(0)}) == b'{\n    "predictions": []\n}'
    assert PRETTY.columns({"y": np.zeros((1, 0))}) == (b'{\n    "outputs": [\n        []\n    ]\n}')


def test_results_of_examples_are_on_one_line():
    labels = strings(b"a", b"b", b"a", b"b").reshape(2, 2)
    scores = np.array([[0.25, 0.75], [1, 0]], np.float32)
    assert PRETTY.classes(labels, scores) == (
        b'{\n    "results": [[["a", 0.25], ["b", 0.75]], [["a", 1.0], ["b", 0.0]]\n    ]\n}'
    )
    assert PRETTY.values(np.array([1.5, np.nan], np.float32)) == (
        b'{\n    "results": [1.5, NaN]\n}'
    )


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.1, np.float32, "0.1"),
        (1 / 3, np.float32, "0.333333343"),
        (1 / 3, np.float64, "0.33333333333333331"),
        (3, np.float32, "3.0"),
        (9000000, np.float32, "9e+06"),
        (999999, np.float32, "999999.0"),
        (0.00003, np.float32, "3e-05"),
        (-0.0, np.float32, "-0.0"),
        (1e300, np.float64, "1e+300"),
        (np.nan, np.float32, "NaN"),
        (np.inf, np.float64, "Infinity"),
        (-np.inf, np.float32, "-Infinity"),
    ],
)
def test_numbers_have_tensorflow_servings_digits(value, kind, text):
    assert decimal_text(float(kind(value)), kind) == text


OUTPUTS = [{}, {"y": np.array(1.0)}, {"y": np.zeros(1, np.complex64)}]


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_both_layouts_refuse_alike(outputs):
    def refusal(encode):
        with pytest.raises(StatusError) as caught:
            encode(outputs)
        return caught.value.code, caught.value.message

    assert refusal(PRETTY.rows) == refusal(COMPACT.rows)


DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint64", "bool"]


@given(st.data(), st.lists(st.sampled_from(DTYPES), min_size=1, max_size=3), st.booleans())
def test_both_layouts_mean_the_same(data, dtypes, by_row):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    outputs = {f"y{i}": data.draw(hnp.arrays(dtype, shape)) for i, dtype in enumerate(dtypes)}
    pretty, compact = (
        parse_json(layout.rows(outputs) if by_row else layout.columns(outputs))
        for layout in (PRETTY, COMPACT)
    )
    assert pretty.keys() == compact.keys()
    for key in pretty:
        assert rounded(pretty[key]) == rounded(compact[key])


def rounded(value):
    """Return a value's text, floats as floats of C: that they differ beyond is two spellings."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return (
        repr(np.float32(value)) if isinstance(value, float) and abs(value) < 3e38 else repr(value)
    )


@given(hnp.arrays(st.sampled_from(["float16", "float32", "float64"]), st.integers(1, 5)))
def test_floats_read_back_as_the_very_same(array):
    read = json.loads(PRETTY.columns({"y": array}))["outputs"]
    assert np.array_equal(np.array(read, array.dtype), array, equal_nan=True)
