"""Wildcards of inputs, as Cloud Storage documents them."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.vertex.batch.wildcards import literal_start, matches
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("pattern", "key", "is_match"),
    [
        ("abc/d*", "abc/def.txt", True),
        ("abc/d*", "abc/def/g.txt", False),
        ("abc/**", "abc/def/g.txt", True),
        ("??.txt", "ab.txt", True),
        ("??.txt", "a/.txt", False),
        ("[a-m]??.j*g", "cat.jpeg", True),
        ("[aeiou].txt", "b.txt", False),
        ("{a,b}.txt", "a.txt", False),
        ("a[1].txt", "a[1].txt", True),
        ("[z-a]", "m", False),
        ("[a&&b]", "&", True),
        ("a.c", "abc", False),
        ("*", "line\nbreak", True),
    ],
)
def test_a_pattern_names_objects(pattern, key, is_match):
    assert matches(key, pattern) == is_match


@given(st.text(alphabet="ab/*?[]!-^&|~\\\n"), st.text(alphabet="ab/*?[]!-^&|~\\\n"))
def test_every_key_matches_itself_and_begins_with_the_literal_start(pattern, key):
    assert matches(pattern, pattern)
    if matches(key, pattern):
        assert key.startswith(literal_start(pattern))
