"""Documents in pieces and as a whole: the same arrays, the same errors."""

import json

import pytest
from cloudserve.local_server.codecs import request
from cloudserve.local_server.codecs.large import outline
from cloudserve.local_server.codecs.request import _parse_exactly, parse_request
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .test_fast_and_exact import (
    DTYPES,
    Pairs,
    documents,
    dump,
    outcome,
    rows_of_objects,
    signature,
    tensors,
)

RUNS = st.sampled_from([1, 2, 5, 9, 16, 33])


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Have the smallest of documents be large ones."""
    monkeypatch.setattr(request, "WHOLE_BYTES", 0)
    monkeypatch.setattr(request, "SCANNED_BYTES", 0)


def same(body, wanted, run_bytes=9):
    before, outline.RUN_BYTES = outline.RUN_BYTES, run_bytes
    try:
        taken = outcome(parse_request, body, wanted)
    finally:
        outline.RUN_BYTES = before
    assert taken == outcome(_parse_exactly, body, wanted)


properties = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

weird = st.sampled_from(
    ["NaN", "-NaN", "Inf", "-Infinity", "1e999", "18446744073709551616", '"\\ud800"', '"\\u00e9"']
)
strings = st.text(max_size=3).map(json.dumps) | st.sampled_from(['"\\\\"', '"[\\",{"', '"]}"'])
leaves = st.integers(-9, 9).map(str) | weird | strings | st.sampled_from(["true", "null"])
b64 = st.sampled_from(['{"b64": "AA=="}', '{"b64": "A"}', '{"b64": 1}', '{"b64": "", "b64": ""}'])


def lists(values):
    return st.lists(values, max_size=4).map(lambda items: f"[ {' , '.join(items)}]")


texts = st.recursive(leaves | b64, lists, max_leaves=12)


@given(lists(texts), st.sampled_from(["instances", "inputs"]), st.sampled_from(DTYPES), RUNS)
@properties
def test_any_values_are_taken_alike(value, form, dtype, run_bytes):
    same(f'{{"{form}": {value}}}'.encode(), signature(dtype), run_bytes)


@given(tensors(), st.sampled_from(["instances", "inputs"]), st.sampled_from(DTYPES), RUNS)
@properties
def test_any_tensor_is_taken_alike(tensor, form, dtype, run_bytes):
    same(json.dumps({form: tensor}).encode(), signature(dtype), run_bytes)


@given(rows_of_objects(), st.lists(st.sampled_from(DTYPES), min_size=2, max_size=2), RUNS)
@properties
def test_any_rows_of_objects_are_taken_alike(rows, dtypes, run_bytes):
    same(json.dumps({"instances": rows}).encode(), signature(*dtypes), run_bytes)


@given(documents.map(Pairs), st.lists(st.sampled_from(DTYPES), max_size=2), RUNS)
@example(Pairs([("inputs", Pairs())]), [], 1)
@properties
def test_any_document_is_taken_alike(document, dtypes, run_bytes):
    same(dump(document).encode(), signature(*dtypes), run_bytes)


@given(
    st.dictionaries(st.sampled_from(["instances", "inputs"]), tensors() | st.just({"x": [1]})),
    st.data(),
    RUNS,
)
@properties
def test_any_broken_document_is_refused_alike(document, data, run_bytes):
    body = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", *(b"%c" % mark for mark in b'[]{},:"-e.\\')])
            | st.binary(max_size=2)
        )
    same(bytes(body), signature("float32"), run_bytes)


@given(st.binary(max_size=20), RUNS)
@properties
def test_any_bytes_are_taken_alike(body, run_bytes):
    same(b'{"instances": [' + body, signature("float32"), run_bytes)


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": {"x": [1], "x": [2]}}',
        b'{"instances": [{"x": 1}, {"x": 2, "x": 3}]}',
        b'{"instances": [1], "instances": [2, 3]}',
        b'{"instances": [[1, 2], [3, 4]]} and more',
        b'\xef\xbb\xbf{"instances": [[1, 2], [3, 4]]}',
        b'{"instances": [[1, 2], [3, 4]], "signature_name": 7}',
        b'{"instances": [[1, 2], [3, 4], ]}',
        b'{"instances": [, [1, 2], [3, 4]]}',
        b'{"instances": [[1, 2], [3, 4]], }',
        b'{"instances": [[1, 2], [3, 4}, [5, 6]]}',
        b'{"instances": [[1, 2], [3, 4]',
        b'{"instances": [[1, 2], [3, "4]]}',
        b'{"a key longer than a run": 1, "instances": [[1, 2], [3, 4]]}',
        b"[[1, 2], [3, 4], [5, 6]]",
        b'"a string that is longer than a run"',
        b'{"inputs": {"b64": "a string that is longer than a run, and no base64"}}',
        b'{"instances": [            ]}',
        b'{"inputs": [            ]}',
        b'{"inputs": "a string that is longer than a run"}',
        b'{"instances": [[1, 2], [3, 4], [5, "x"], [6]], "other": nul}',
        b'{"instances": [[1, 2], [3]], "other": [1, 2, 3, 4, 5, 6, 7, }',
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "string"])
@pytest.mark.parametrize("run_bytes", [1, 4, 9, 20])
def test_bodies_cut_at_any_edge_are_decoded_as_whole_ones(body, dtype, run_bytes):
    same(body, signature(dtype), run_bytes)


@pytest.mark.parametrize("depth", [11, 12, 13, 63, 64, 65, 1000, 2000])
@pytest.mark.parametrize("run_bytes", [1, 9, 100])
def test_nesting_is_taken_alike(depth, run_bytes):
    for form in (b"instances", b"inputs"):
        body = b'{"%b": %b1%b}' % (form, b"[" * depth, b"]" * depth)
        same(body, signature("float32"), run_bytes)
