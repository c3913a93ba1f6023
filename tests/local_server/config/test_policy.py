"""Version policies choose only among the existing versions."""

from cloudserve.local_server.config import All, Latest, Specific
from hypothesis import given
from hypothesis import strategies as st

VERSIONS = st.frozensets(st.integers(0, 2**63 - 1), max_size=8)


@given(VERSIONS, st.integers(0, 10))
def test_latest_takes_the_highest_ones_and_none_means_one(versions, count):
    chosen = Latest(count).choose(versions)
    assert chosen <= versions
    assert len(chosen) == min(count or 1, len(versions))
    assert all(left < taken for left in versions - chosen for taken in chosen)


@given(VERSIONS, VERSIONS)
def test_specific_takes_those_named_that_exist(versions, named):
    assert Specific(named).choose(versions) == versions & named


@given(VERSIONS)
def test_all_takes_all(versions):
    assert All().choose(versions) == versions
