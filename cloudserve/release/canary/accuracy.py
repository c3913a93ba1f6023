"""The accuracy of a canary on labelled requests, compared with the live revision's in pairs.

Both revisions are asked each labelled request once a step, so the outcomes are pairs: both right,
both wrong, or one of them. The pairs are taken as independent draws from all such requests; the
file is sent in a random order, because a sorted one is not such a sequence.

"The canary is wrong more often" is tested on the pairs in which one is right: if it is not, the
canary is the wrong one in at most half of them (McNemar's test), against which the Beta mixture of
`evidence` is an e-process. "By less than the margin" is tested by betting: the product of
1 + b (margin - d), where d is 1 if only the canary is wrong, -1 if only the live one is, else 0.
Its expectation is at most 1 at every time if the mean of d is the margin or more, for each bet b;
so is that of the average over several bets (Waudby-Smith and Ramdas, Estimating means of bounded
random variables by betting, Journal of the Royal Statistical Society B 86, 2024).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from pathlib import Path
from random import Random

from cloudserve.errors import UserError
from cloudserve.golden.file import encode, is_golden, read_golden
from cloudserve.golden.labels import Label, count_right
from cloudserve.release.canary.evidence import Counts

_BETS = 16
_LOG_BETA_PRIOR = 2 * lgamma(0.5)
_ORDER = 0
"""The seed of the order in which labelled requests are sent."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The outcomes of labelled requests that both revisions were asked."""

    both_right: int = 0
    both_wrong: int = 0
    lost: int = 0
    """Only the canary is wrong."""
    won: int = 0
    """Only the live revision is wrong."""

    def add(self, *, live: bool, canary: bool) -> Pairs:
        """Return the pairs after one more: whether each revision is right."""
        return Pairs(
            self.both_right + (live and canary),
            self.both_wrong + (not live and not canary),
            self.lost + (live and not canary),
            self.won + (canary and not live),
        )

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return self.both_right + self.both_wrong + self.lost + self.won

    @property
    def live(self) -> Counts:
        """Return the wrong answers of the live revision."""
        return Counts(self.requests, self.both_wrong + self.won)

    @property
    def canary(self) -> Counts:
        """Return the wrong answers of the canary."""
        return Counts(self.requests, self.both_wrong + self.lost)


def wrong_more_often(pairs: Pairs) -> float:
    """Return the log evidence that the canary is wrong more often than the live revision."""
    lost, won = pairs.lost, pairs.won
    if lost <= won:
        return 0.0
    both = lost + won
    mixture = lgamma(lost + 0.5) + lgamma(won + 0.5) - lgamma(both + 1.0) - _LOG_BETA_PRIOR
    return max(0.0, mixture + both * log(2))


def not_much_more_wrong(pairs: Pairs, margin: float) -> float:
    """Return the log evidence that it is wrong for less than `margin` more of the requests."""
    alike = pairs.both_right + pairs.both_wrong
    largest = 1 / (1 - margin)
    bets = [largest * number / (_BETS + 1) for number in range(1, _BETS + 1)]
    logs = [
        alike * log1p(bet * margin)
        + pairs.lost * log1p(bet * (margin - 1))
        + pairs.won * log1p(bet * (margin + 1))
        for bet in bets
    ]
    most = max(logs)
    return max(0.0, most + log(sum(exp(each - most) for each in logs) / _BETS))


def labelled_needed(margin: float, evidence: float) -> int:
    """Return how many labelled requests a step needs if both revisions answer them alike."""
    number = 1
    while not_much_more_wrong(Pairs(number), margin) < evidence:
        number += 1
    return number


@dataclass(frozen=True, slots=True)
class Labels:
    """The right answers to requests, by the body that is sent."""

    right: Mapping[bytes, Sequence[Label]]
    output: str = ""
    """The output that has them; "" is the output of a model that has one."""

    def is_right(self, body: bytes, answer: bytes) -> bool:
        """Return whether all instances of an answer have their label; an error is wrong."""
        try:
            return self._count(body, answer) == len(self.right[body])
        except (UserError, ValueError, RecursionError):
            return False

    def check(self, body: bytes, answer: bytes) -> None:
        """Raise UserError for an answer that cannot be compared with its labels."""
        if body in self.right:
            self._count(body, answer)

    def _count(self, body: bytes, answer: bytes) -> int:
        document = json.loads(answer)
        if not isinstance(document, dict):
            return 0
        return count_right(document, self.right[body], self.output, "the answer to a request")


def read_labels(path: Path) -> Labels:
    """Return the labels of a golden file; raises UserError if it has none or cannot be read."""
    try:
        with path.open("rb") as file:
            is_labelled = is_golden(file.readline())
    except OSError as error:
        raise UserError(
            f"the requests cannot be read: {error.strerror}",
            where=str(path),
            hint="give a golden file with `labels`",
        ) from error
    golden = read_golden(path) if is_labelled else None
    right = {encode(e.request): e.labels for e in golden.examples if e.labels} if golden else {}
    if golden is None or not right:
        raise UserError(
            "`max_wrong` of a canary compares right answers, and the requests have no labels",
            where=str(path),
            hint='give a golden file with `labels`: {"request": {"instances": […]}, "labels": […]}',
        )
    return Labels(right, golden.header.label)


def shuffled(requests: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the requests in a random order, always the same."""
    chance = Random(_ORDER)  # noqa: S311 - an order, no secret
    return tuple(chance.sample(requests, len(requests)))
