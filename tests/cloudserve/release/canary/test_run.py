"""A promotion by canary: passed, rolled back, interrupted, killed, run again."""

import random
from itertools import count

import pytest

from cloudserve.errors import CheckFailedError, RemoteError, UserError
from cloudserve.release.canary.comparison import requests_needed
from cloudserve.release.canary.probe import Prober
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import Canary, promote_by_canary
from cloudserve.release.types import Operation
from cloudserve.storage.events import SILENT, Reporter

BODY = b'{"instances": [1.0]}'
RULES = CanaryRules(steps=(10, 50), deadline=600.0)


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


@pytest.fixture
def canary(deployed, service):
    def make(rules=RULES, lines=None):
        verbs, live, revision = deployed
        prober = Prober(service.ask, live, revision, [BODY], lambda: service.now)
        reporter = SILENT if lines is None else Reporter(lines.append)
        return Canary(
            verbs,
            live,
            revision,
            "half on here",
            prober,
            rules,
            reporter,
            lambda: service.now,
            service.sleep,
        )

    return make


def test_a_good_canary_gets_all_traffic_step_by_step(canary, deployed, platform):
    lines = []
    found = canary(lines=lines).promote(0.0)
    verbs, live, revision = deployed
    assert platform.traffic == {revision: 1.0}
    assert (found.live, [step.percent for step in found.steps]) == (live, [10, 50])
    assert lines[0] == (
        f"each step needs about {requests_needed(RULES)} requests to each revision if none fails"
    )
    assert [line.partition(":")[0] for line in lines if "passed" in line] == ["10 %", "50 %"]
    assert [release.percent for release in verbs.history()[2:]] == [10, 50, 100]


def test_a_canary_that_fails_a_tenth_of_the_requests_is_rolled_back(
    canary, deployed, platform, service
):
    verbs, live, revision = deployed
    service.failing[revision] = 0.1
    with pytest.raises(CheckFailedError, match="is worse than") as caught:
        canary().promote(0.0)
    assert "at 10 % of the traffic: errors " in str(caught.value)
    assert str(caught.value).endswith("500: the graph is broken")
    assert caught.value.__notes__ == [f"Rolled back: {live} has all traffic."]
    assert platform.traffic == {live: 1.0}
    assert verbs.history()[-1].operation is Operation.ROLLBACK


def test_a_slow_canary_is_rolled_back(canary, deployed, platform, service):
    _, live, revision = deployed
    service.seconds[revision] = 0.03
    with pytest.raises(CheckFailedError, match="at 10 % of the traffic: slow "):
        canary().promote(0.0)
    assert platform.traffic == {live: 1.0}


def test_a_canary_that_is_undecided_at_the_deadline_is_rolled_back(canary, deployed, platform):
    _, live, _ = deployed
    with pytest.raises(CheckFailedError, match=r"is undecided at 10 % .* after 2 s: ") as caught:
        canary(CanaryRules(steps=(10,), deadline=2.0)).promote(0.0)
    assert caught.value.hint == "set a later deadline, or a greater margin"
    assert platform.traffic == {live: 1.0}


def test_a_step_is_held_for_its_least_time(canary, service):
    rules = CanaryRules(steps=(10,), hold=300.0)
    canary(rules).promote(0.0)
    assert service.now >= 300.0


def test_requests_are_sent_at_most_at_the_rate(canary, service):
    outcome = canary(CanaryRules(steps=(10,), rate=5.0)).promote(0.0)
    assert service.now >= (outcome.steps[0].requests - 1) / 5.0


@pytest.mark.parametrize("number", [1, 30, 1200])
def test_ctrl_c_rolls_back(canary, deployed, platform, service, number):
    _, live, _ = deployed

    def interrupt(request):
        if request == number:
            raise KeyboardInterrupt

    service.before = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        canary().promote(0.0)
    assert caught.value.__notes__[-1] == f"Rolled back: {live} has all traffic."
    assert platform.traffic == {live: 1.0}


def test_an_error_of_a_promotion_rolls_back(canary, deployed, platform):
    _, live, _ = deployed

    def fail(action):
        if action.kind == "move" and 50 in action.args.values():
            platform.before = lambda action: None
            raise RemoteError("throttled")

    platform.before = fail
    with pytest.raises(RemoteError, match="throttled"):
        canary().promote(0.0)
    assert platform.traffic == {live: 1.0}


def test_a_rollback_that_fails_says_what_has_the_traffic(canary, deployed, platform, service):
    _, live, revision = deployed
    service.failing[revision] = 1.0

    def fail(action):
        if action.args.get(live) == 100:
            raise RemoteError("throttled")

    platform.before = fail
    with pytest.raises(CheckFailedError) as caught:
        canary().promote(0.0)
    note = "\n".join(caught.value.__notes__)
    assert "The rollback failed: throttled" in note
    assert f"{revision} may still have traffic. Run: cloudserve rollback … --to {live}" in note


class Killed(BaseException):
    """The end of the process: nothing after it is carried out."""


def test_a_killed_run_is_continued_at_the_share_that_the_canary_has(
    canary, deployed, platform, monkeypatch, service
):
    _verbs, live, revision = deployed

    def kill(request):
        if request == 1500:  # during the second step
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Canary, "_roll_back", lambda self, error: None)
        service.before = kill
        with pytest.raises(Killed):
            canary().promote(0.0)
    assert platform.traffic == {live: 0.5, revision: 0.5}
    service.before = lambda request: None
    outcome = canary().promote(platform.traffic[revision])
    assert [step.percent for step in outcome.steps] == [50]
    assert platform.traffic == {revision: 1.0}


def ask(platform, monkeypatch, answer):
    monkeypatch.setattr(platform, "predict", answer, raising=False)


def test_the_verb_asks_the_platform(deployed, platform, monkeypatch):
    verbs, live, revision = deployed
    asked = set()

    def answer(model, body, revision_id=None):
        asked.add((model, body, revision_id))
        if revision_id == revision:
            raise RemoteError("500: no")
        return b"{}"

    ask(platform, monkeypatch, answer)
    with pytest.raises(CheckFailedError):
        promote_by_canary(verbs, [BODY], rules=CanaryRules(rate=1e6))
    assert asked == {("half", BODY, live), ("half", BODY, revision)}
    assert platform.traffic == {live: 1.0}


def test_nothing_is_compared_if_the_revision_has_all_traffic(deployed, platform):
    verbs, _, _revision = deployed
    verbs.promote()
    result = promote_by_canary(verbs, [BODY])
    assert (result.live, result.steps, result.outcome.changed) == ("", (), False)


def refuse(model, body, revision_id=None):
    raise UserError("one revision cannot be asked")


def refuse_body(model, body, revision_id=None):
    raise RemoteError("400: no such signature")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(refuse, "one revision cannot be asked"), (refuse_body, "fails for request 1: 400: no such")],
)
def test_no_traffic_moves_if_the_revisions_cannot_be_compared(
    deployed, platform, monkeypatch, answer, problem
):
    verbs, live, _ = deployed
    ask(platform, monkeypatch, answer)
    with pytest.raises(UserError, match=problem):
        promote_by_canary(verbs, [BODY])
    assert platform.traffic == {live: 1.0}
    assert len(verbs.history()) == 2


def test_a_canary_beside_two_live_revisions_is_refused(deployed, platform):
    verbs, live, revision = deployed
    platform.traffic = {live: 0.5, "v9-other": 0.5}
    with pytest.raises(UserError, match=f"{live} and v9-other share the traffic"):
        promote_by_canary(verbs, [BODY], revision)
    assert platform.traffic == {live: 0.5, "v9-other": 0.5}
