"""Policies of forms that cannot be read are refused, whatever is in them."""

from __future__ import annotations

import base64
import json

import pytest
from cloudserve.local_server.clouds.objects.forms.policy import PolicyError, check_policy
from hypothesis import given
from hypothesis import strategies as st

SIZES = '{"expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", %s, 9]]}'
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def refusal(text: str) -> PolicyError:
    encoded = base64.b64encode(text.encode()).decode()
    with pytest.raises(PolicyError) as caught:
        check_policy(encoded, {}, frozenset(), 0.0)
    return caught.value


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, "{}", '{"conditions": []}', SIZES % "Infinity", SIZES % '"a"'],
    ids=lambda text: text[:20],
)
def test_a_policy_that_cannot_be_read_is_malformed(text):
    assert refusal(text).malformed


@given(VALUES | st.datetimes().map(str), VALUES)
def test_any_other_json_is_refused_or_holds(expiration, condition):
    text = json.dumps({"expiration": expiration, "conditions": [condition]})
    encoded = base64.b64encode(text.encode()).decode()
    try:
        check_policy(encoded, {}, frozenset(), 0.0)
    except PolicyError as error:
        assert error.message
