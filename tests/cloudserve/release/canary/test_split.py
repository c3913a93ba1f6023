"""Requests to an endpoint whose split chooses the revision: Vertex AI."""

import random

import pytest

from cloudserve.errors import CheckFailedError, UserError
from cloudserve.release.canary.comparison import Comparison, announced, requests_needed
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import promote_by_canary
from cloudserve.release.canary.split import SplitProber
from cloudserve.release.provider import SplitAnswer
from tests.cloudserve.conftest import MemoryPlatform

BODY = b'{"instances": [1.0]}'
RULES = CanaryRules(steps=(10,), rate=1e6, slow_factor=1000.0)


class Splitting(MemoryPlatform):
    """A platform that chooses a revision at random for each request."""

    def __init__(self):
        super().__init__()
        self.rng = random.Random(3)
        self.failing = 0.0
        self.names_failures = True
        self.name_of = lambda revision: revision
        self.requests = 0

    def predict_by_split(self, model, body):
        self.requests += 1
        names = sorted(self.traffic)
        chosen = self.rng.choices(names, [self.traffic[name] for name in names])[0]
        if chosen.startswith("v124") and self.rng.random() < self.failing:
            return SplitAnswer(chosen if self.names_failures else "", "500: the graph is broken")
        return SplitAnswer(self.name_of(chosen))


@pytest.fixture
def platform():
    return Splitting()


@pytest.fixture
def verbs(releases):
    verbs = releases()
    verbs.deploy(123)
    verbs.deploy(124)
    return verbs


def live(platform):
    return {name.partition("-")[0]: share for name, share in platform.traffic.items()}


def test_a_good_version_is_promoted_by_answers_that_name_their_revision(verbs, platform):
    outcome = promote_by_canary(verbs, [BODY], rules=RULES)
    errors, _ = outcome.steps[0].measures
    assert errors.live.requests > 6 * errors.canary.requests
    assert errors.live.requests + errors.canary.requests + 1 == platform.requests
    assert live(platform) == {"v124": 1.0}
    assert outcome.steps[0].requests <= requests_needed(RULES, percent=10)


def test_a_version_that_fails_is_rolled_back(verbs, platform):
    platform.failing = 0.2
    with pytest.raises(CheckFailedError, match=r"requests \(live \d+\); .* the graph is broken"):
        promote_by_canary(verbs, [BODY], rules=RULES)
    assert live(platform) == {"v123": 1.0}


def test_failures_that_name_no_revision_keep_a_version_from_passing(verbs, platform):
    platform.failing, platform.names_failures = 0.2, False
    rules = CanaryRules(steps=(10,), rate=1e6, slow_factor=1000.0, deadline=1.0)
    with pytest.raises(CheckFailedError, match=r"undecided .* of an unknown version"):
        promote_by_canary(verbs, [BODY], rules=rules)
    assert live(platform) == {"v123": 1.0}


def test_an_answer_of_a_third_version_rolls_back(verbs, platform):
    def name_of(revision):
        return revision if platform.requests < 20 else "v9-other"

    platform.name_of = name_of
    with pytest.raises(CheckFailedError, match="was answered by v9-other, neither by v123-"):
        promote_by_canary(verbs, [BODY], rules=RULES)
    assert live(platform) == {"v123": 1.0}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (SplitAnswer(""), "answers do not say which version gave them"),
        (SplitAnswer("", "400: no such signature"), "fails for request 1: 400: no such signature"),
    ],
)
def test_no_traffic_moves_if_the_answers_cannot_be_compared(verbs, platform, answer, problem):
    platform.predict_by_split = lambda model, body: answer
    with pytest.raises(UserError, match=problem):
        promote_by_canary(verbs, [BODY], rules=RULES)
    assert len(verbs.history()) == 2


def test_the_requests_that_a_small_share_needs_are_said_beforehand():
    text = announced(CanaryRules(steps=(1, 50), rate=50.0), by_split=True)
    needed = requests_needed(RULES, percent=1) - 50
    assert text == (
        f"a step needs about {needed} requests to the canary if none fails, which at 1 % of the "
        f"traffic are about {needed * 100:,} in all: {needed * 2:,} s at 50 per second"
    )
    assert 514 < needed < 700


def test_a_failure_is_attributed_before_the_threshold_is_known():
    answers = [SplitAnswer("v2", "500"), SplitAnswer("v1"), SplitAnswer("", "503")]
    prober = SplitProber(lambda body: answers.pop(0), "v1", "v2", [BODY])
    comparison = Comparison(RULES)
    for _ in range(3):
        prober.probe_into(comparison)
    errors, slow = comparison.measures
    assert (errors.live.events, errors.canary.events, errors.unknown) == (0, 1, 1)
    assert slow.canary.requests == 0


def test_right_answers_are_not_compared_where_no_request_chooses_a_version(verbs, platform):
    with pytest.raises(UserError, match="no request chooses a version here") as caught:
        promote_by_canary(verbs, [BODY], rules=CanaryRules(more_wrong=0.05))
    assert "`golden` has `accuracy`" in caught.value.hint
    assert platform.requests == 0
