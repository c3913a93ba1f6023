"""Request bodies as JSON: a value, or ValueError; nothing else comes out of the reader."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from cloudserve.local_server.clouds.bodies import MAX_CONTAINERS, MAX_DEPTH, read_json
from hypothesis import given
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(value=values)
def test_a_json_text_is_its_value(value):
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'{"a":"\xed\xa0\x80"}',
        rb'{"a":"\ud800"}',
        rb'{"\udc00":1}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    ],
    ids=range(14),
)
def test_invalid_json_is_a_value_error(body):
    with pytest.raises(ValueError):
        read_json(body)


@pytest.mark.parametrize("unit", [b"[],", b"{},"])
def test_more_lists_and_objects_than_a_message_has_are_refused_before_they_are_made(unit):
    assert len(read_json(b"[%b0]" % (unit * (MAX_CONTAINERS - 1)))) == MAX_CONTAINERS
    with pytest.raises(ValueError, match="the JSON has more than 65536 lists and objects"):
        read_json(b"[%b0]" % (unit * MAX_CONTAINERS))


def test_many_values_beside_each_other_are_not_deep():
    rows = [[1], {"a": [2]}] * 1000
    assert read_json(json.dumps(rows).encode()) == rows
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json.dumps(read_json(deepest)).encode() == deepest


@given(start=st.sampled_from([b"", b'{"', b'{"a":"', b'{"a":[']), rest=st.binary())
def test_any_bytes_give_a_value_or_a_value_error(start, rest):
    with suppress(ValueError):
        json.dumps(read_json(start + rest))
