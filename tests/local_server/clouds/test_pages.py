from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.pages import page
from hypothesis import given
from hypothesis import strategies as st


@given(names=st.sets(st.text(min_size=1)), size=st.integers(1, 5))
def test_following_the_tokens_gives_every_item_once_in_order(names, size):
    items = [(name, name.upper()) for name in sorted(names)]
    seen, token = [], None
    while True:
        found, token = page(items, size, token)
        assert len(found) <= size
        seen += found
        if token is None:
            break
    assert seen == [item for _, item in items]


def test_an_item_deleted_between_two_pages_does_not_end_the_listing():
    items = [(name, name) for name in "abcd"]
    _, token = page(items, 2, None)
    found, _ = page([item for item in items if item[0] != "b"], 2, token)
    assert found == ["c", "d"]


@given(token=st.text(min_size=1))
def test_any_token_is_a_page_or_a_value_error(token):
    try:
        found, _ = page([("a", 1)], 1, token)
    except ValueError:
        return
    assert found in ([], [1])


def test_a_token_that_nobody_gave_out_is_refused():
    with pytest.raises(ValueError, match="not a page token"):
        page([("a", 1)], 1, "!!!")
