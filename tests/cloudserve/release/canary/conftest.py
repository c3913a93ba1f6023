"""Two deployed revisions, and the answers of their service on a clock of its own."""

import random
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from cloudserve.errors import RemoteError

BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Service:
    """The answers of the deployed revisions, on a clock that only they move."""

    def __init__(self):
        self.now = 0.0
        self.rng = random.Random(5)
        self.seconds = {}
        self.failing = {}
        self.before = lambda number: None
        self.numbers = count(1)
        self.slept = 0.0

    def ask(self, body, revision):
        self.before(next(self.numbers))
        self.now += self.seconds.get(revision, 0.01) * (1 + 0.1 * self.rng.random())
        if self.rng.random() < self.failing.get(revision, 0.0):
            raise RemoteError("500: the graph is broken")
        return b"{}"

    def date(self):
        return BEGIN + timedelta(seconds=self.now)

    def sleep(self, seconds):
        self.slept += seconds
        self.now += seconds


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def deployed(releases, platform):
    """Give the verbs with version 123 live, and 124 beside it; and their revision ids."""
    verbs = releases()
    verbs.deploy(123)
    verbs.deploy(124)
    return verbs, *(sorted(platform.deployed))
