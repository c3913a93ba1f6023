"""Promotions of a part of the traffic, and back."""

import pytest

from cloudserve.errors import UserError


def test_a_canary_gets_its_percent_and_the_history_says_so(releases, platform):
    releases().deploy(123)
    releases().deploy(124)
    outcome = releases().promote("124", percent=10)
    assert outcome.plan.percent == 10
    shares = {name.partition("-")[0]: share for name, share in platform.traffic.items()}
    assert shares == {"v123": 0.9, "v124": 0.1}
    assert not releases().promote("124", percent=10).changed
    assert releases().history()[-1].percent == 10


@pytest.mark.parametrize("percents", [(10,), (10, 60), (60, 90), (50,)])
def test_rolling_back_a_canary_gives_all_traffic_to_the_version_before_it(
    releases, platform, percents
):
    releases().deploy(123)
    releases().deploy(124)
    for percent in percents:
        releases().promote("124", percent=percent)
    outcome = releases().rollback()
    assert outcome.plan.revision.number == 123
    assert platform.traffic == {outcome.plan.revision.id: 1.0}


def test_a_canary_without_anybody_for_the_rest_is_refused(releases):
    releases().deploy(123)
    with pytest.raises(UserError, match="no revision would get the other 90 %"):
        releases().promote("123", percent=10)


@pytest.mark.parametrize("percent", [0, 101, -1])
def test_an_invalid_percentage_is_refused(releases, percent):
    with pytest.raises(UserError, match="is not a percentage of the traffic"):
        releases().promote("123", percent=percent)
