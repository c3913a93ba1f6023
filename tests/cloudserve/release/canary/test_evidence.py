"""The evidence of a canary: valid at every look, and symmetric where the hypotheses are."""

import random
from math import exp, inf, log, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.release.canary.evidence import (
    Counts,
    _log_likelihood,
    _mixture,
    more_often,
    not_much_more_often,
)

LEVEL = 0.05
counts = st.integers(0, 400).flatmap(lambda n: st.builds(Counts, st.just(n), st.integers(0, n)))


def test_nothing_is_proven_before_the_first_request():
    none = Counts()
    assert (more_often(none, none), not_much_more_often(none, none, 0.02)) == (0.0, 0.0)


@given(counts)
def test_the_mixture_is_the_average_likelihood_over_the_prior(events):
    """By quadrature: the Beta(1/2, 1/2) prior is uniform in the angle of p = sin²."""
    points = 2000
    angles = ((number + 0.5) * pi / 2 / points for number in range(points))
    logs = [_log_likelihood(events, sin(angle) ** 2) for angle in angles]
    highest = max(logs)
    average = highest + log(sum(exp(value - highest) for value in logs) / points)
    assert _mixture(events) == pytest.approx(average, abs=1e-6)


@given(counts, counts, st.floats(0.001, 0.5))
def test_no_probabilities_of_the_hypothesis_explain_more_than_the_minimum(live, canary, margin):
    evidence = not_much_more_often(live, canary, margin)
    for number in range(101):
        p = (1 - margin) * number / 100
        for q in (p + margin, min(1.0, p + 2 * margin), 1.0):
            explained = _log_likelihood(live, p) + _log_likelihood(canary, q)
            assert explained == -inf or evidence <= max(
                0.0, _mixture(live) + _mixture(canary) - explained + 1e-6
            )


@given(counts, counts)
def test_only_one_direction_is_proven(one, other):
    assert not (more_often(one, other) and more_often(other, one))


def runs(number, seed):
    return (random.Random(seed + run) for run in range(number))


def looks(rng, live_share, canary_share, requests):
    """Yield the counts of both revisions after each request."""
    live = canary = Counts()
    for _ in range(requests):
        live = live.add(event=rng.random() < live_share)
        canary = canary.add(event=rng.random() < canary_share)
        yield live, canary


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_equal_revisions_are_rarely_called_different_though_every_request_is_looked_at(share):
    alarms = sum(
        any(more_often(*counts) >= -log(LEVEL) for counts in looks(rng, share, share, 400))
        for rng in runs(300, seed=1)
    )
    assert alarms / 300 <= LEVEL


def test_a_canary_at_the_margin_rarely_passes_though_every_request_is_looked_at():
    passes = sum(
        any(
            not_much_more_often(*counts, 0.1) >= -log(LEVEL)
            for counts in looks(rng, 0.05, 0.15, 150)
        )
        for rng in runs(100, seed=2)
    )
    assert passes / 100 <= LEVEL


def test_a_canary_that_fails_a_tenth_of_the_requests_is_found():
    result = sum(
        any(more_often(*counts) >= -log(0.01) for counts in looks(rng, 0.0, 0.1, 300))
        for rng in runs(100, seed=3)
    )
    assert result >= 98
