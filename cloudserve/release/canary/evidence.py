"""Sequential tests of proportions, valid however often they are looked at.

Each stream of Bernoulli events has the mixture martingale of Robbins with a Beta(1/2, 1/2) prior:
the likelihood of the observed events averaged over the prior, divided by their likelihood at a
fixed probability. At the true probability its expectation is 1 at every time, so by Ville's
inequality it ever exceeds 1/a with a probability of at most a. The product over two independent
streams, minimized over the probabilities of a hypothesis, is an e-process against the hypothesis.

Sources: Robbins, Statistical methods related to the law of the iterated logarithm (Annals of
Mathematical Statistics 41, 1970); Ramdas, Grünwald, Vovk, Shafer, Game-theoretic statistics and
safe anytime-valid inference (Statistical Science 38, 2023); Turner, Ly, Grünwald, Generic
E-variables for exact sequential k-sample tests (2024), for two streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, lgamma, log, sqrt

_PRIOR = 0.5
_LOG_BETA_PRIOR = 2 * lgamma(_PRIOR) - lgamma(2 * _PRIOR)
_GOLDEN = (sqrt(5) - 1) / 2
_SEARCH_STEPS = 60
"""Shrink an interval of 1 to 3e-13."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The events among the requests to one revision."""

    requests: int = 0
    events: int = 0

    def add(self, *, event: bool) -> Counts:
        """Return the counts after one more request."""
        return Counts(self.requests + 1, self.events + event)

    @property
    def share(self) -> float:
        """Return the share of requests that are events; 0 before the first request."""
        return self.events / self.requests if self.requests else 0.0


def more_often(live: Counts, canary: Counts, margin: float = 0.0) -> float:
    """Return the log evidence that the canary's probability is more than live's plus `margin`."""
    if not _is_above(canary, live, margin):
        return 0.0
    if margin:
        return max(0.0, _mixture(live) + _mixture(canary) - _highest(live, canary, margin))
    both = Counts(live.requests + canary.requests, live.events + canary.events)
    return max(0.0, _mixture(live) + _mixture(canary) - _log_likelihood(both, both.share))


def not_much_more_often(live: Counts, canary: Counts, margin: float) -> float:
    """Return the log evidence that the canary's probability is less than live's plus `margin`."""
    if _is_above(canary, live, margin):
        return 0.0
    return max(0.0, _mixture(live) + _mixture(canary) - _highest(live, canary, margin))


def _highest(live: Counts, canary: Counts, margin: float) -> float:
    """Return the largest log likelihood at which the canary is `margin` above the live one.

    It is that of the whole hypothesis on the other side of the observed shares, because the log
    likelihood is concave.
    """

    def likelihood(probability: float) -> float:
        return _log_likelihood(live, probability) + _log_likelihood(canary, probability + margin)

    return _maximum(likelihood, 0.0, 1.0 - margin)


def _is_above(canary: Counts, live: Counts, margin: float) -> bool:
    return canary.share > live.share + margin


def _mixture(counts: Counts) -> float:
    """Return the log likelihood of the events, averaged over the prior."""
    failures = counts.requests - counts.events
    total = lgamma(counts.events + _PRIOR) + lgamma(failures + _PRIOR)
    return total - lgamma(counts.requests + 2 * _PRIOR) - _LOG_BETA_PRIOR


def _log_likelihood(counts: Counts, probability: float) -> float:
    failures = counts.requests - counts.events
    return _times_log(counts.events, probability) + _times_log(failures, 1.0 - probability)


def _times_log(count: int, probability: float) -> float:
    if not count:
        return 0.0
    return count * log(probability) if probability > 0.0 else -inf


def _maximum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the maximum of a concave function on an interval, by golden-section search."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(_SEARCH_STEPS):
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
    return max(at_left, at_right, function(low), function(high))
