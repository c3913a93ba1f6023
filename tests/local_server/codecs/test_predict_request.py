"""A predict request's document and its values by element type, and the exact texts of errors."""

import base64
import json

import numpy as np
import pytest
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

from .conftest import assert_array, decode, refusal, signature

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


@pytest.mark.parametrize(("name", "shown"), [("s", "s"), (None, "DEFAULT")])
def test_a_signature_without_inputs_is_refused(name, shown):
    document = {"instances": [1]} | ({"signature_name": name} if name else {})
    assert refusal(document, signature()).message == (
        f"Failed to get input map for signature: {shown}"
    )


def test_a_long_value_is_cut_in_errors():
    error = refusal({"instances": "x", "more": list(range(10_000))})
    assert len(error.message) < 400
    assert error.message.startswith('JSON Value: {\n    "instances": "x",\n    "more": [0, 1, 2')


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
def test_an_object_that_is_not_base64_is_not_a_string(value):
    text = json.dumps(value, indent=4)
    assert refusal({"inputs": [value]}, signature(x="string")).message == (
        f"JSON Value: {text} not formatted correctly for base64 data"
    )


def test_a_value_of_more_dimensions_than_an_array_has_is_refused():
    document = b'{"%b": ' + b"[" * 65 + b"1" + b"]" * 65 + b"}"
    text = "A tensor has at most 64 dimensions but the value has 65"
    assert refusal(document % b"inputs").message == text
    assert refusal(document % b"instances").code is Code.INVALID_ARGUMENT


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
