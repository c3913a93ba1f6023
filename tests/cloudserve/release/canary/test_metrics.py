"""A canary judged by the platform's metrics of the users' requests."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from cloudserve.errors import CheckFailedError, UserError
from cloudserve.release.canary.journal import begin
from cloudserve.release.canary.probe import Prober
from cloudserve.release.canary.record import Decision
from cloudserve.release.canary.rules import CanaryRules, Source
from cloudserve.release.canary.run import Canary, promote_by_canary
from cloudserve.release.canary.watch import Clocks
from cloudserve.release.provider import TrafficCounts
from cloudserve.storage.events import SILENT, Reporter
from tests.cloudserve.conftest import MemoryPlatform

BEGIN = datetime(2026, 11, 30, 12, 0, 30, tzinfo=UTC)
BODY = b'{"instances": [1.0]}'
PER_MINUTE = 1000


class Monitored(MemoryPlatform):
    """A platform whose users send a thousand requests a minute, by its traffic split."""

    def __init__(self):
        super().__init__()
        self.now = BEGIN
        self.failing = {}
        self.seconds = {}
        self.minutes = {}
        self.is_used = True
        self.ends = []

    def seconds_now(self):
        return self.now.timestamp()

    def sleep(self, seconds):
        for _ in range(int(seconds // 60) + 1):
            step = min(seconds, 60.0)
            self.now += timedelta(seconds=step)
            seconds -= step
            self.serve(self.now.replace(second=0) - timedelta(minutes=1))

    def serve(self, minute):
        """Let the users' requests of a minute come in, once."""
        rng = random.Random(minute.timestamp())
        for revision, share in self.traffic.items():
            key, count = (minute, revision), int(PER_MINUTE * share * self.is_used)
            failing, usual = self.failing.get(revision, 0.0), self.seconds.get(revision, 0.01)
            took = [usual * (1 + 0.2 * rng.random()) for _ in range(count)]
            errors = sum(rng.random() < failing for _ in range(count))
            self.minutes.setdefault(key, (took, errors))

    def count_traffic(self, model, revision_id, since, until, slow):
        assert since.second == until.second == 0
        self.ends.append(until)
        minutes = self.between(revision_id, since, until)
        seconds = [second for took, _ in minutes for second in took]
        errors = sum(errors for _, errors in minutes)
        slow_ones = sum(second > slow for second in seconds)
        return TrafficCounts(len(seconds), errors, len(seconds), slow_ones)

    def latency(self, model, revision_id, since, until, percentile):
        minutes = self.between(revision_id, since, until)
        seconds = sorted(second for took, _ in minutes for second in took)
        if not seconds:
            return 0.0, 0
        return seconds[int(len(seconds) * percentile / 100.0)], len(seconds)

    def between(self, revision, since, until):
        return [
            minutes
            for (minute, name), minutes in self.minutes.items()
            if name == revision and since <= minute < until
        ]


@pytest.fixture
def platform():
    return Monitored()


@pytest.fixture
def canary(releases, platform):
    verbs = releases()
    verbs.deploy(123)
    verbs.deploy(124)
    live, revision = sorted(platform.deployed)

    def make(lines=None, ask=lambda body, revision: b"{}", **rules):
        prober = Prober(ask, live, revision, [BODY], platform.seconds_now)
        rules = CanaryRules(**{"steps": (10,), "source": Source.METRICS, **rules})
        journal = begin(verbs.ledger, "ada", "half on here")
        clocks = Clocks(platform.seconds_now, platform.sleep, lambda: platform.now)
        reporter = SILENT if lines is None else Reporter(lines.append)
        return Canary(
            verbs,
            verbs.status(),
            live,
            revision,
            prober,
            rules,
            reporter,
            journal,
            lambda decided: None,
            clocks,
        )

    return make


def names(platform):
    return sorted(platform.deployed)


def test_a_good_version_passes_by_the_users_requests_alone(canary, platform, releases):
    def ask(body, revision):
        raise AssertionError("no request is sent")

    lines = []
    canary(lines, ask).promote(0.0)
    _, revision = names(platform)
    assert platform.traffic == {revision: 1.0}
    assert "at 10 % of the traffic are about 5,740 in all, of users" in lines[0]
    assert "each is counted 120 s after its end" in lines[0]
    record = releases().history()[2].canary
    assert record.decision is Decision.PASSED
    errors, slow = record.measures
    assert {errors.source, slow.source} == {"metrics"}
    assert errors.live.requests == 9 * errors.canary.requests
    assert errors.canary.requests >= 500
    assert 0.01 < slow.threshold / 1.5 < 0.0125


def test_only_minutes_that_ended_long_enough_ago_are_counted(canary, platform):
    canary(metrics_delay=180.0, hold=600.0).promote(0.0)
    # The step began at 12:00:30, so 12:01 is the first whole minute, complete at 12:05.
    assert platform.ends[0] == BEGIN.replace(minute=2, second=0)
    assert platform.now - platform.ends[-1] >= timedelta(seconds=180)


@pytest.mark.parametrize(("worse", "event"), [("failing", "errors 1"), ("seconds", "slow 100.0%")])
def test_a_version_that_is_worse_for_the_users_is_rolled_back(canary, platform, worse, event):
    live, revision = names(platform)
    getattr(platform, worse)[revision] = 0.1
    with pytest.raises(CheckFailedError, match=event) as caught:
        canary().promote(0.0)
    assert "requests (live " in str(caught.value)
    assert platform.traffic == {live: 1.0}


def test_an_endpoint_without_users_is_undecided(canary, platform):
    live, _ = names(platform)
    platform.is_used = False
    with pytest.raises(CheckFailedError, match=r"is undecided .* of 0 requests each"):
        canary(deadline=900.0).promote(0.0)
    assert platform.traffic == {live: 1.0}


def test_with_both_sources_the_users_are_counted_after_the_probes(canary, platform, releases):
    sent = []

    def ask(body, revision):
        sent.append(platform.now)
        platform.now += timedelta(milliseconds=10)
        return b"{}"

    canary(None, ask, source=Source.BOTH).promote(0.0)
    record = releases().history()[2].canary
    assert [m.source for m in record.measures] == ["probes", "probes", "metrics", "metrics"]
    assert all(m.e_passed >= 20.0 for m in record.measures)
    counted = min(minute for minute, _ in platform.minutes)
    assert max(sent) < platform.ends[0] > counted


class TestPlainPlatform:
    @pytest.fixture
    def platform(self):
        return MemoryPlatform()

    def test_a_platform_without_metrics_is_refused_before_any_traffic_moves(
        self, releases, platform
    ):
        verbs = releases()
        verbs.deploy(123)
        verbs.deploy(124)
        rules = CanaryRules(source=Source.METRICS)
        with pytest.raises(UserError, match="the platform's metrics of each version cannot be"):
            promote_by_canary(verbs, [], rules=rules)
        assert len(verbs.history()) == 2
