"""Shares become whole percents, and a canary's share comes from all others alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.release.traffic import percents, split

SHARES = st.dictionaries(
    st.sampled_from(["v1", "v2", "v3", "v4"]), st.floats(0.001, 1.0), min_size=1
)


@pytest.mark.parametrize(
    ("shares", "percent", "wanted"),
    [
        ({"v1": 1.0}, 10, {"v1": 90, "v2": 10}),
        ({"v1": 0.9, "v2": 0.1}, 50, {"v1": 50, "v2": 50}),
        ({"v1": 0.9, "v2": 0.1}, 100, {"v2": 100}),
        ({"v1": 0.5, "v3": 0.5}, 15, {"v1": 43, "v3": 42, "v2": 15}),
        ({"v1": 1.0, "v3": 0.0}, 1, {"v1": 99, "v2": 1}),
        ({}, 10, {"v2": 100}),
        ({"v2": 1.0}, 10, {"v2": 100}),
    ],
)
def test_the_others_share_what_is_left_as_they_did(shares, percent, wanted):
    assert split(shares, "v2", percent) == wanted


def test_thirds_are_rounded_to_a_hundred():
    assert percents({"v1": 1 / 3, "v2": 1 / 3, "v3": 1 / 3, "v4": 0.0}) == {
        "v1": 34,
        "v2": 33,
        "v3": 33,
    }
    assert percents({}) == percents({"v1": 0.0}) == {}


@given(SHARES, st.integers(1, 100))
def test_percents_always_sum_to_a_hundred_and_the_chosen_gets_its_own(shares, percent):
    result = split(shares, "v1", percent)
    assert sum(result.values()) == 100
    assert all(share > 0 for share in result.values())
    assert result["v1"] == (percent if set(shares) - {"v1"} else 100)
    assert sum(percents(shares).values()) == 100


@given(SHARES, st.integers(1, 99))
def test_the_present_split_needs_no_change(shares, percent):
    existing = {name: share / 100 for name, share in split(shares, "v1", percent).items()}
    assert split(existing, "v1", percent) == percents(existing) or set(existing) == {"v1"}
