"""A predict request's JSON to arrays: rows, columns, types, and the exact texts of errors."""

import base64
import json

import numpy as np
import pytest
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.savedmodel.signature import Signature, TensorSpec


def signature(**dtypes):
    inputs = tuple(TensorSpec(alias, f"{alias}:0", dtypes[alias], None) for alias in sorted(dtypes))
    return Signature("serving_default", "tensorflow/serving/predict", inputs, ())


ONE = signature(x="float32")
TWO = signature(a="int32", b="string")


def decode(document, wanted=ONE):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_request(body).decode(wanted)


def refusal(document, wanted=ONE):
    with pytest.raises(StatusError) as caught:
        decode(document, wanted)
    return caught.value


def assert_array(array, expected, dtype):
    assert array.dtype == dtype
    assert array.tolist() == expected


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


# Element types.


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        (
            "float32",
            b"[0.1, 1e39, -1e39, 1e-50, 16777217]",
            [np.float32(0.1), np.inf, -np.inf, 0, 2**24],
        ),
        ("float64", b"[0.1, 18446744073709551615]", [0.1, 2.0**64]),
        ("int32", b"[-2147483648, 2147483647]", [-(2**31), 2**31 - 1]),
        ("int16", b"[65537]", [1]),
        ("int8", b"[255]", [-1]),
        ("uint8", b"[-1]", [255]),
        ("int64", b"[-9223372036854775808, 9223372036854775807]", [-(2**63), 2**63 - 1]),
        ("uint32", b"[4294967295]", [2**32 - 1]),
        ("uint64", b"[18446744073709551615]", [2**64 - 1]),
        ("bool", b"[true, false]", [True, False]),
        (
            "string",
            rb'["a\u0000b", "\u00e9", {"b64": "AP8="}]',
            [b"a\0b", "é".encode(), b"\x00\xff"],
        ),
        ("string", b'["\xff"]', [b"\xff"]),
    ],
)
def test_values_become_the_signatures_element_type(dtype, text, expected):
    array = decode(b'{"inputs": ' + text + b"}", signature(x=dtype))["x"]
    assert_array(array, expected, object if dtype == "string" else dtype)


@pytest.mark.parametrize(
    ("dtype", "text", "type_name", "word"),
    [
        ("int32", "1.0", "Number", "int32"),
        ("int32", "2147483648", "Number", "int32"),
        ("int64", "1e0", "Number", "int64"),
        ("int64", "9223372036854775808", "Number", "int64"),
        ("uint32", "-1", "Number", "uint32"),
        ("uint64", "-1", "Number", "uint64"),
        ("int32", "true", "True", "int32"),
        ("bool", "1", "Number", "bool"),
        ("string", "1", "Number", "string"),
        ("float64", '"1"', "String", "double"),
    ],
)
def test_a_value_of_another_type_is_refused(dtype, text, type_name, word):
    error = refusal(f'{{"inputs": {text}}}'.encode(), signature(x=dtype))
    shown = {"1e0": "1.0"}.get(text, text)
    assert error.message == (
        f"JSON Value: {shown} Type: {type_name} is not of expected type: {word}"
    )


def test_nan_and_infinity_are_floats():
    array = decode(b'{"inputs": [NaN, Infinity, -Infinity]}')["x"]
    assert repr(array.tolist()) == "[nan, inf, -inf]"


@pytest.mark.parametrize("text", ["/w==", "/w", " /w\n=="])
def test_base64_may_lack_its_padding_and_have_spaces(text):
    assert decode({"inputs": {"b64": text}}, signature(x="string"))["x"].item() == b"\xff"


@pytest.mark.parametrize("text", ["-w==", "/w=", "/", "é", "=="])
def test_other_base64_is_refused(text):
    error = refusal({"inputs": [{"b64": text}]}, signature(x="string"))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "Unable to base64 decode")


@pytest.mark.parametrize("value", [{"b64": 1}, {"b64": "", "c": 1}, {"c": ""}])
def test_an_object_that_is_not_base64_is_no_string(value):
    text = json.dumps(value, indent=4)
    assert refusal({"inputs": [value]}, signature(x="string")).message == (
        f"JSON Value: {text} not formatted correctly for base64 data"
    )


def test_a_value_of_more_dimensions_than_an_array_has_is_refused():
    document = b'{"%b": ' + b"[" * 65 + b"1" + b"]" * 65 + b"}"
    text = "A tensor has at most 64 dimensions but the value has 65"
    assert refusal(document % b"inputs").message == text
    assert refusal(document % b"instances").code is Code.INVALID_ARGUMENT


# The document.


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([1], "JSON Value: [1] Is not object"),
        (
            {"signature_name": 1, "inputs": 1},
            (
                'JSON Value: {\n    "signature_name": 1,\n    "inputs": 1\n} '
                "not formatted correctly. 'signature_name' key must be a string value."
            ),
        ),
        (
            {"instances": [1], "inputs": [1]},
            (
                'JSON Value: {\n    "instances": [1],\n    "inputs": [1]\n} '
                "Not formatted correctly expecting only one of 'inputs' or 'instances' "
                "keys to exist "
            ),
        ),
        ({"other": 1}, "Missing 'inputs' or 'instances' key"),
        (
            {"instances": 1},
            "JSON Value: {\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
        ),
        (
            {"instances": []},
            "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
        ),
    ],
)
def test_a_document_of_another_form_is_refused(document, text):
    error = refusal(document)
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


@pytest.mark.parametrize(("name", "told"), [("s", "s"), (None, "DEFAULT")])
def test_a_signature_without_inputs_is_refused(name, told):
    document = {"instances": [1]} | ({"signature_name": name} if name else {})
    assert refusal(document, signature()).message == (
        f"Failed to get input map for signature: {told}"
    )


def test_a_long_value_is_cut_in_errors():
    error = refusal({"instances": "x", "more": list(range(10_000))})
    assert len(error.message) < 400
    assert error.message.startswith('JSON Value: {\n    "instances": "x",\n    "more": [0, 1, 2')


# Properties.

DTYPES = [
    "float32",
    "float64",
    "int8",
    "int32",
    "int64",
    "uint8",
    "uint64",
    "bool",
    "string",
    "float16",
    "bfloat16",
    "uint16",
]
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
nested = st.recursive(
    leaves | st.builds(lambda b: {"b64": base64.b64encode(b).decode()}, st.binary(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner),
    max_leaves=8,
)
documents = st.dictionaries(
    st.sampled_from(["instances", "inputs", "signature_name"]), nested | st.just(""), max_size=2
)


@given(documents | nested, st.sampled_from(DTYPES), st.booleans())
def test_any_json_is_arrays_or_a_clients_error(document, dtype, two):
    wanted = signature(x=dtype, a="int32") if two else signature(x=dtype)
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    try:
        arrays = parse_request(body).decode(wanted)
    except StatusError as error:
        assert error.code in {Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED}
        error.message.encode("utf-8", "surrogateescape")
    else:
        assert arrays.keys() == {spec.alias for spec in wanted.inputs}


@given(st.lists(nested, min_size=1, max_size=4), st.sampled_from(DTYPES))
def test_rows_are_taken_whole_exactly_when_each_is_taken_alone_and_all_are_alike(rows, dtype):
    wanted = signature(x=dtype)

    def taken(instances):
        try:
            return decode({"instances": instances}, wanted)["x"]
        except StatusError:
            return None

    alone = [taken([row]) for row in rows]
    whole = taken(rows)
    forms = {isinstance(row, dict) and "b64" not in row for row in rows}
    alike = all(a is not None for a in alone) and len({a.shape for a in alone}) == len(forms) == 1
    assert (whole is not None) == alike
    if alike:
        assert repr(whole.tolist()) == repr(np.concatenate(alone).tolist())
