"""Invalid requests: TensorFlow Serving's texts, quick answers, and no harm to others."""

import gzip
import json
import tracemalloc

import pytest
from cloudserve.local_server.protocols.tfserving.rest import _inflate

SAME = "/v1/models/same:predict"
DEEP = 500_000
EMPTY = "JSON Parse error: The document is empty"
TOO_DEEP = "A tensor has at most 64 dimensions but the value has 500000"


def typed(dtype, rest):
    return b'{"signature_name": "%b", %b}' % (dtype.encode(), rest)


def row_error(text, index=0, key=""):
    return (
        f"Failed to process element: {index}{key} of 'instances' list. "
        f"Error: INVALID_ARGUMENT: {text}"
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", EMPTY),
        (b"\0", "JSON Parse error: The document is empty. at offset: 0"),
        (b'{"instances": [1, }', "JSON Parse error: Invalid value. at offset: 18"),
        (b'{"instances": [1}', "Missing a comma or ']' after an array element. at offset: 16"),
        (b'{"instances" [1]}', "Missing a colon after a name of object member. at offset: 13"),
        (b"{'instances': [1]}", "Missing a name for object member. at offset: 1"),
        (b'{"inputs": "\xff', "Missing a closing quotation mark in string. at offset: 13"),
        (b'{"inputs": "a\nb"}', "Invalid encoding in string. at offset: 13"),
        (b'{"inputs": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 12"),
        (b'{"inputs": 1e400}', "Number too big to be stored in double. at offset: 11"),
        (b'{"inputs": ' + b"9" * 1_000_000 + b"}", "Number too big to be stored in double."),
        (b"[" * DEEP, f"JSON Parse error: Invalid value. at offset: {DEEP}"),
        (b'{"a":' * DEEP, f"JSON Parse error: Invalid value. at offset: {5 * DEEP}"),
        (b"[" * DEEP + b"]" * DEEP, "JSON Value: [[[["),
        (b'"instances"', 'JSON Value: "instances" Is not object'),
        (b"null", "JSON Value: null Is not object"),
        (b'{"signature_name": null, "inputs": 1}', "'signature_name' key must be a string value."),
        (typed("float32", b'"inputs": 1, "instances": [1]'), "expecting only one of 'inputs' or"),
        (typed("float32", b'"inputz": 1'), "Missing 'inputs' or 'instances' key"),
        (typed("float32", b'"inputs": {}'), "Missing named input: x in 'inputs' object."),
        (typed("float32", b'"inputs": {"y": 1}'), "Missing named input: x in 'inputs' object."),
        (
            typed("float32", b'"instances": [{}]'),
            (
                "Failed to process element: 0 of 'instances' list. JSON object: {} "
                "keys must be equal to: x"
            ),
        ),
        (
            typed("float32", b'"instances": [{"x": 1}, {"x": 1, "y": 2}]'),
            row_error("JSON object: does not have named input: y", 1, " key: y"),
        ),
        (
            typed("float32", b'"instances": [[1, 2], [3]]'),
            row_error("Expecting tensor size: 2 but got: 1", 1),
        ),
        (
            typed("float32", b'"inputs": [[1, 2], [3]]'),
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            typed("float32", b'"instances": [true]'),
            row_error("JSON Value: true Type: True is not of expected type: float"),
        ),
        (
            typed("int64", b'"inputs": [NaN]'),
            "JSON Value: NaN Type: Number is not of expected type: int64",
        ),
        (
            typed("int64", b'"inputs": [-Infinity]'),
            "JSON Value: -Infinity Type: Number is not of expected type: int64",
        ),
        (
            typed("int64", b'"inputs": [1.0]'),
            "JSON Value: 1.0 Type: Number is not of expected type: int64",
        ),
        (
            typed("int64", b'"inputs": [9223372036854775808]'),
            "JSON Value: 9223372036854775808 Type: Number is not of expected type: int64",
        ),
        (
            typed("int64", b'"inputs": [36893488147419103232]'),
            "JSON Value: 3.68934881e+19 Type: Number is not of expected type: int64",
        ),
        (
            typed("string", b'"inputs": [1]'),
            "JSON Value: 1 Type: Number is not of expected type: string",
        ),
        (typed("string", b'"inputs": [{"b64": "_-"}]'), "Unable to base64 decode"),
        (
            typed("string", b'"instances": [{"b64": "***"}]'),
            row_error("Unable to base64 decode"),
        ),
        (
            typed("float32", b'"instances": ' + b"[" * DEEP + b"1" + b"]" * DEEP),
            row_error("A tensor has at most 64 dimensions but the value has 499999"),
        ),
        (typed("float32", b'"inputs": ' + b"[" * DEEP + b"1" + b"]" * DEEP), TOO_DEEP),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_request_that_is_wrong_is_a_clients_error_with_its_reason(connect, body, text):
    client = connect()
    status, answer = client.post(SAME, body)
    assert status == 400
    assert text in answer["error"]
    assert len(answer["error"]) < 600
    assert client.post(SAME, typed("float32", b'"inputs": 1')) == (200, {"outputs": 1.0})


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'\xef\xbb\xbf{"signature_name": "float32", "inputs": [1]}', [1.0]),
        (b'{"signature_name": "float32", "inputs": [1]} and more \xff', [1.0]),
        (b'{"signature_name": "float32", "signature_name": "x", "inputs": [1]}', [1.0]),
        (b'{"signature_name": "float32", "inputs": [1], "inputs": [2]}', [1.0]),
        (b'{"signature_name": "float32", "inputs": {"x": [1], "x": [2], "y": null}}', [1.0]),
        (b'{"signature_name": "float32", "inputs": {"x": []}}', []),
        (b'{"signature_name": "float32", "inputs": [[], []], "more": {"a": [[1], 2]}}', [[], []]),
        (b'{"signature_name": "float32", "inputs": [-0.0, 1e-400]}', [-0.0, 0.0]),
        (b'{"signature_name": "string", "inputs": ["\\u0000", "\\ud83d\\ude00"]}', ["\0", "😀"]),
    ],
)
def test_odd_bodies_that_tensorflow_serving_accepts_are_accepted(connect, body, taken):
    assert connect().post(SAME, body) == (200, {"outputs": taken})


def test_strings_that_are_not_utf8_go_through_as_they_are(connect):
    body = b'{"signature_name": "string", "inputs": ["\xff\xfe"]}'
    assert connect().ask("POST", SAME, body)[2] == b'{\n    "outputs": ["\xff\xfe"]\n}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(b"0" * (100 * 2**20 + 1), 1), id="past the bound"),
        pytest.param(gzip.compress(gzip.compress(b"{}")), id="twice"),
        pytest.param(b"\x1f\x8b\x08", id="cut"),
        pytest.param(b"\x1f\x8b" + bytes(100), id="broken"),
        pytest.param(b"", id="empty"),
    ],
)
def test_gzip_that_does_not_unpack_to_json_is_a_clients_error(connect, body):
    status, answer = connect().post(SAME, body, {"Content-Encoding": "gzip"})
    assert status == 400
    assert answer["error"].startswith("JSON Parse error: ")


def test_gzip_that_unpacks_to_the_bound_is_read(connect):
    document = typed("float32", b'"inputs": 1')
    body = document + b" " * (100 * 2**20 - len(document))
    packed = gzip.compress(body, 1)
    assert connect().post(SAME, packed, {"Content-Encoding": "x-gzip"}) == (200, {"outputs": 1.0})


@pytest.mark.parametrize("count", [20_000])
def test_a_document_of_many_keys_takes_time_in_proportion(connect, count):
    many = {f"k{index}": index for index in range(count)}
    document = {"signature_name": "float32", "inputs": {"x": [1], **many}, **many}
    assert connect().post(SAME, document) == (200, {"outputs": [1.0]})
    rows = {"signature_name": "float32", "instances": [many, many]}
    status, answer = connect().post(SAME, rows)
    assert (status, answer["error"][:72]) == (
        400,
        "Failed to process element: 0 key: k0 of 'instances' list. Error: INVALID",
    )


def test_a_key_repeated_often_takes_time_in_proportion(connect):
    others = b",".join(b'"k%d": 0' % index for index in range(100_000))
    repeated = b",".join([b'"x": [1]'] * 100_000)
    body = typed("float32", b'"inputs": {%b, %b}' % (others, repeated))
    assert connect().post(SAME, body) == (200, {"outputs": [1.0]})


@pytest.mark.parametrize("target", ["/v1/models/%ff%00:predict", "/v1/models/%:predict"])
def test_names_of_any_bytes_are_not_found(connect, target):
    status, _, body = connect().ask("POST", target, b"{}")
    assert status == 404
    assert b"Servable not found for request: Latest(" in body


def test_every_body_leaves_the_next_request_good(connect):
    client = connect()
    for body in (b"[" * 1000, b"\xff" * 1000, b"{" * 1000, json.dumps([[]] * 1000).encode()):
        assert client.post(SAME, body)[0] == 400
    assert client.post(SAME, typed("float32", b'"inputs": 1')) == (200, {"outputs": 1.0})


def test_a_gzip_body_is_unfolded_to_its_bound_and_no_further():
    packed = gzip.compress(b"0" * 1_000_000)
    assert len(_inflate(packed, 1_000_000)) == 1_000_000
    hostile = gzip.compress(b"0" * 50_000_000)
    tracemalloc.start()
    try:
        assert _inflate(hostile, 1_000_000) == b""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
