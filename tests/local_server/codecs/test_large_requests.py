"""Large bodies: their memory, how much is parsed at a time, and their errors."""

import tracemalloc

import numpy as np
import pytest
from cloudserve.local_server.codecs.examples import parse_examples
from cloudserve.local_server.codecs.large import document as documents
from cloudserve.local_server.codecs.large import outline
from cloudserve.local_server.codecs.limits import JsonLimits
from cloudserve.local_server.codecs.request import WHOLE_BYTES, parse_request
from cloudserve.local_server.status import Code, StatusError

from .conftest import signature

MANY = 10**5
PLACE = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "


def body_of(row, count, last, key=b"instances"):
    return b'{"%b": [%b%b]}' % (key, (row + b",") * (count - 1), last)


def outcome(body, dtype, limits=JsonLimits()):  # noqa: B008  frozen
    """Return the tensor or the error's text, and the most memory by the body's size."""
    tracemalloc.start()
    try:
        result = parse_request(body, limits).decode(signature(x=dtype))["x"]
    except StatusError as error:
        result = error.message
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return result, peak / len(body)


HOSTILE = [
    (b"[1,2]", b"[1,2,3]", "float32", "Expecting tensor size: 2 but got: 3"),
    (b"[NaN]", b'["a"]', "float32", 'JSON Value: "a" Type: String is not of expected type: float'),
    (b'"abc"', b"1", "string", "JSON Value: 1 Type: Number is not of expected type: string"),
    (b'"\xff"', b"1", "string", "JSON Value: 1 Type: Number is not of expected type: string"),
    (b'{"b64":"AAAA"}', b'{"b64":"A"}', "string", "Unable to base64 decode"),
    (b"true", b"1", "bool", "JSON Value: 1 Type: Number is not of expected type: bool"),
]


@pytest.mark.parametrize(("row", "last", "dtype", "text"), HOSTILE)
def test_the_last_of_many_values_is_refused_in_the_same_words(row, last, dtype, text):
    body = body_of(row, MANY, last)
    assert len(body) > WHOLE_BYTES
    result, multiple = outcome(body, dtype)
    assert result == PLACE.format(MANY - 1) + text
    assert multiple < 20


def test_a_document_that_breaks_at_its_end_is_refused_at_its_offset():
    body = body_of(b"[1,2]", MANY, b"[1,}")
    result, multiple = outcome(body, "float32")
    assert result == f"JSON Parse error: Invalid value. at offset: {body.index(b'}')}"
    assert multiple < 4


def test_a_column_says_at_which_level_its_last_value_is_wrong():
    result, _ = outcome(body_of(b"[1,2]", MANY, b"[1,2,3]", b"inputs"), "float32")
    expected = "Encountered list at unexpected size: 3 at level: 1 expected size: 2"
    assert result == expected


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_that_are_not_finite_are_read_among_the_others(dtype):
    row = b"[1.5,NaN,-NaN,Inf,-Infinity]"
    result, multiple = outcome(body_of(row, MANY, row), dtype)
    assert result.shape == (MANY, 5)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result[-1], [1.5, np.nan, np.nan, np.inf, -np.inf])
    assert multiple < 8


def test_a_number_that_equals_the_placeholder_of_nan_keeps_its_value():
    for meant in (b"9e-307", b"90e-308", b"0.9e-306"):
        row = b"[%b,NaN]" % meant
        result, _ = outcome(body_of(row, 30_000, row), "float64")
        np.testing.assert_array_equal(result[-1], [9e-307, np.nan])


def test_a_regular_array_of_numbers_has_no_bound_but_its_bytes():
    result, multiple = outcome(body_of(b"[1]", 20 * MANY, b"[2]"), "uint8", JsonLimits(values=10))
    assert result.shape == (20 * MANY, 1)
    assert result[-1] == 2
    assert multiple < 4


@pytest.mark.parametrize(
    ("row", "limits"),
    [(b"[1],[]", JsonLimits(values=MANY)), (b'"a"', JsonLimits(values=MANY - 2))],
)
def test_more_values_than_the_limit_are_refused_before_they_are_made(row, limits):
    result, multiple = outcome(body_of(row, 2 * MANY, row), "string", limits)
    assert result == "JSON Parse error: Too many values."
    assert multiple < 8


def test_no_parser_is_given_more_than_a_run_at_once(monkeypatch):
    sizes, text = [], documents.Document.text

    def noted(self, node, run):
        sizes.append(run.end - run.start)
        return text(self, node, run)

    monkeypatch.setattr(documents.Document, "text", noted)
    outcome(body_of(b"[1,2]", MANY, b"[1]"), "float32")
    outcome(b'{"inputs": [[%b1]]}' % (b"1," * 3 * MANY), "float32")
    assert len(sizes) > 8
    assert max(sizes) <= outline.RUN_BYTES


# Examples.


@pytest.mark.parametrize("run_bytes", [1, 7, 100])
@pytest.mark.parametrize(
    "body",
    [
        b'{"examples": [{"a": 1}, {"a": [1, 2]}, {"b": "x", "b": "y"}], "context": {"c": [1.5]}}',
        b'{"context": {"c": 1}, "examples": [{}], "examples": 1, "signature_name": "s"}',
        b'{"examples": [{"a": 1}, {"a": [1, "x"]}, {"b": null}]}',
        b'{"examples": [{"a": 1}, [2]]}',
        b'{"examples": [        ]}',
        b'{"examples": {"a": 1, "b": [1, 2]}}',
        b'{"examples": [{"a": 1}], "context": [1, 2, 3]}',
        b'{"examples": [{"a": 1}, {"a": {"b64": "AA=="}}], "signature_name": 1}',
        b'{"nothing": [1, 2, 3, 4, 5, 6], "else": 1}',
        b'[{"examples": 1}, {"a": 1}]',
        b'{"examples": [{"a": 1}, {"a": 2}',
        b'{"examples": [{"a": NaN}, {"a": "\xff"}]}',
    ],
)
def test_examples_in_pieces_are_those_of_the_whole(monkeypatch, body, run_bytes):
    def parsed():
        try:
            return parse_examples(body)
        except StatusError as error:
            return error.code, error.message

    whole = parsed()
    monkeypatch.setattr("cloudserve.local_server.codecs.examples.WHOLE_BYTES", 0)
    monkeypatch.setattr(outline, "RUN_BYTES", run_bytes)
    assert parsed() == whole


def test_the_last_of_many_examples_is_refused_in_the_same_words():
    body = body_of(b'{"a":1}', 300_000, b'{"a":null}', b"examples")
    with pytest.raises(StatusError) as caught:
        parse_examples(body)
    text = "Feature: a has element with unexpected JSON type: Null"
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, text)
