"""The rules of a canary are checked when they are made."""

from math import inf, nan

import pytest

from cloudserve.errors import UserError
from cloudserve.release.canary.rules import CanaryRules


@pytest.mark.parametrize("steps", [(), (0, 10), (10, 100), (50, 10), (10, 10), (-5,)])
def test_steps_rise_from_1_to_99(steps):
    with pytest.raises(UserError, match="not steps of a canary") as caught:
        CanaryRules(steps=steps)
    assert caught.value.hint == "give rising percentages from 1 to 99, such as 1,10,50"


@pytest.mark.parametrize("name", ["more_errors", "more_slow", "false_alarm", "false_pass"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, nan])
def test_margins_and_levels_are_shares(name, value):
    with pytest.raises(UserError, match=f"`{name}` of a canary is a share between 0 and 1"):
        CanaryRules(**{name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"slow_factor": 0.9},
        {"slow_factor": nan},
        {"hold": -1.0},
        {"holds": {50: -1.0}},
        {"rate": 0.0},
        {"rate": nan},
    ],
)
def test_times_fit_each_other(wrong):
    with pytest.raises(UserError, match="the times of a canary do not fit"):
        CanaryRules(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hold": inf},
        {"hold": 60.0, "deadline": 120.0},
        {"holds": {10: 60.0, 50: 30.0}, "deadline": 90.0},
        {"deadline": nan},
    ],
)
def test_the_deadline_leaves_time_for_all_steps(wrong):
    with pytest.raises(UserError, match=r"the steps of a canary take .* s at least, and its dead"):
        CanaryRules(**wrong)


def test_a_step_can_have_its_own_least_time():
    rules = CanaryRules(steps=(1, 10), hold=60.0, holds={10: 600.0})
    assert (rules.least_seconds(1), rules.least_seconds(10)) == (60.0, 600.0)


def test_the_false_alarm_rate_is_shared_by_all_tests_of_all_steps():
    one, two = CanaryRules(steps=(10,)), CanaryRules(steps=(10, 50))
    assert two.alarm_evidence > one.alarm_evidence
    assert one.pass_evidence == two.pass_evidence
