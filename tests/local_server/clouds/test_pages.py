from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.pages import page
from hypothesis import given
from hypothesis import strategies as st


@given(names=st.sets(st.text(min_size=1)), size=st.integers(1, 5))
def test_following_the_tokens_gives_every_item_once_in_order(names, size):
    items = [(name, name.upper()) for name in sorted(names)]
    observed, token = [], None
    while True:
        result, token = page(items, size, token)
        assert len(result) <= size
        observed += result
        if token is None:
            break
    assert observed == [item for _, item in items]


@pytest.mark.parametrize("order", ["abcd", "dcba", "bdac"])
def test_an_item_deleted_between_two_pages_does_not_end_the_listing(order):
    items = [(name, name) for name in order]
    _, token = page(items, 2, None)
    left = [item for item in items if item[0] != order[1]]
    assert page(left, 2, token)[0] == list(order[2:])


@given(token=st.text(min_size=1))
def test_any_token_is_a_page_or_a_value_error(token):
    try:
        result, _ = page([("a", 1)], 1, token)
    except ValueError:
        return
    assert result in ([], [1])


@pytest.mark.parametrize("token", ["!!!", "YQ==", "/w==", "LTE6YQ=="])
def test_a_token_that_nobody_gave_out_is_refused(token):
    with pytest.raises(ValueError, match="not a page token"):
        page([("a", 1)], 1, token)
