"""The comparison of a canary with the live revision."""

import random

import pytest

from cloudserve.release.canary.comparison import (
    CALIBRATION,
    Answer,
    Comparison,
    odds_of_chance,
    requests_needed,
)
from cloudserve.release.canary.rules import CanaryRules

RULES = CanaryRules()


def compare(live, canary, requests, seed=1):
    """Compare answers from two functions of a random generator, until there is a decision."""
    rng, comparison = random.Random(seed), Comparison(RULES)
    for _ in range(requests):
        comparison.add(live(rng), canary(rng))
        if comparison.evidence.worse or comparison.evidence.is_passed:
            break
    return comparison


def good(rng):
    return Answer(0.01 + 0.002 * rng.random())


def slow(rng):
    return Answer(0.02 + 0.002 * rng.random())


def failing(rng):
    return Answer(0.01, "500: no" if rng.random() < 0.1 else "")


def test_a_canary_as_good_as_the_live_revision_passes_about_when_it_was_said_to():
    comparison = compare(good, good, 2000)
    assert comparison.evidence.is_passed
    assert comparison.evidence.worse is None
    assert comparison.requests <= requests_needed(RULES)
    assert [str(measure) for measure in comparison.measures] == [
        "errors 0.0% (live 0.0%)",
        "slow 0.0% (live 0.0%)",
    ]


@pytest.mark.parametrize(("canary", "name"), [(slow, "slow"), (failing, "errors")])
def test_a_worse_canary_is_found_long_before_a_good_one_passes(canary, name):
    comparison = compare(good, canary, 2000)
    assert comparison.evidence.worse.name == name
    assert not comparison.evidence.is_passed
    assert comparison.requests < 200


def test_a_canary_that_is_faster_and_fails_less_is_not_worse():
    comparison = compare(lambda rng: Answer(0.02, "500" * (rng.random() < 0.3)), good, 500)
    assert comparison.evidence.worse is None


def test_the_threshold_of_slow_requests_is_the_live_revisions_own():
    comparison = Comparison(RULES)
    for number in range(CALIBRATION):
        comparison.add(Answer(0.001 * (number + 1)), Answer(9.0))
    assert comparison.threshold == pytest.approx(0.0485 * 1.5, rel=0.02)
    assert comparison.measures[1].canary.requests == 0  # not compared with what it set


def test_a_step_needs_more_requests_where_more_of_them_fail():
    needed = [requests_needed(RULES, share) for share in (0.0, 0.01, 0.1)]
    assert needed == sorted(needed)
    assert needed[0] < 600


def test_the_last_error_of_the_canary_is_kept():
    comparison = Comparison(RULES)
    comparison.add(Answer(0.1), Answer(0.1, "500: first"))
    comparison.add(Answer(0.1, "of the live one"), Answer(0.1))
    assert comparison.last_error == "500: first"


def test_odds_are_said_in_words():
    assert odds_of_chance(7.0) == "1 in 1,097"
