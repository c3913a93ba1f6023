"""A promotion by canary: passed, rolled back, interrupted, killed, run again."""

import json

import pytest

from cloudserve.errors import CheckFailedError, RemoteError, UserError
from cloudserve.release.canary.accuracy import Labels
from cloudserve.release.canary.comparison import requests_needed
from cloudserve.release.canary.journal import TakenOverError, begin, left_by, open_canary
from cloudserve.release.canary.probe import Prober
from cloudserve.release.canary.record import Decision
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import Canary, promote_by_canary
from cloudserve.release.canary.watch import CHECK_SECONDS, Clocks
from cloudserve.release.types import Operation
from cloudserve.storage.events import SILENT, Reporter

BODY = b'{"instances": [1.0]}'
RULES = CanaryRules(steps=(10, 50), deadline=600.0)


@pytest.fixture
def canary(deployed, service):
    def make(rules=RULES, lines=None, observe=lambda decided: None):
        verbs, live, revision = deployed
        prober = Prober(service.ask, live, revision, [BODY], lambda: service.now)
        reporter = SILENT if lines is None else Reporter(lines.append)
        journal = begin(verbs.ledger, "ada", "half on here")
        clocks = Clocks(lambda: service.now, service.sleep, service.date)
        return Canary(
            verbs, verbs.status(), live, revision, prober, rules, reporter, journal, observe, clocks
        )

    return make


def test_a_good_canary_gets_all_traffic_step_by_step(canary, deployed, platform):
    lines = []
    result = canary(lines=lines).promote(0.0)
    verbs, live, revision = deployed
    assert platform.traffic == {revision: 1.0}
    assert (result.live, [step.percent for step in result.steps]) == (live, [10, 50])
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


def test_no_gate_is_asked_before_a_canary_is_rolled_back(canary, deployed, platform, service):
    verbs, live, revision = deployed
    service.failing[revision] = 0.1
    asked, run = [], canary()
    rollback = verbs.rollback

    def watched(*names, **options):
        asked.append(options["is_gated"])
        return rollback(*names, **options)

    run.releases.rollback = watched
    with pytest.raises(CheckFailedError):
        run.promote(0.0)
    assert asked == [False]
    assert platform.traffic == {live: 1.0}


def test_a_slow_canary_is_rolled_back(canary, deployed, platform, service):
    _, live, revision = deployed
    service.seconds[revision] = 0.03
    with pytest.raises(CheckFailedError, match="at 10 % of the traffic: slow "):
        canary().promote(0.0)
    assert platform.traffic == {live: 1.0}


def test_a_canary_that_answers_labelled_requests_wrong_is_rolled_back(
    deployed, platform, monkeypatch
):
    verbs, live, revision = deployed
    bodies = [b'{"instances": [%d]}' % number for number in range(300)]
    labels = Labels({body: [json.loads(body)["instances"][0] % 3] for body in bodies})

    def predict(model, body, revision_id=None):
        number = json.loads(body)["instances"][0]
        is_wrong = revision_id == revision and number % 5 == 0
        return json.dumps({"predictions": [number % 3 + is_wrong]}).encode()

    monkeypatch.setattr(platform, "predict", predict)
    rules = CanaryRules(steps=(10,), rate=1e6, slow_factor=1000.0, more_wrong=0.05)
    with pytest.raises(CheckFailedError, match=r"at 10 % of .*: wrong \d\d\.\d%") as caught:
        promote_by_canary(verbs, bodies, rules=rules, labels=labels)
    assert caught.value.__notes__ == [f"Rolled back: {live} has all traffic."]
    assert platform.traffic == {live: 1.0}
    (wrong,) = (m for m in verbs.history()[-2].canary.measures if m.name == "wrong")
    assert wrong.e_worse > 1 / rules.false_alarm
    assert (wrong.live.events, wrong.canary.events > 10) == (0, True)


@pytest.mark.parametrize("count", [0, 40])
def test_too_few_labelled_requests_are_refused_before_any_traffic_moves(deployed, platform, count):
    verbs, live, _ = deployed
    labels = Labels({b"%d" % number: [1] for number in range(count)})
    with pytest.raises(UserError, match=rf"^{count} requests with labels cannot prove") as caught:
        promote_by_canary(
            verbs, [BODY], rules=CanaryRules(more_wrong=0.05), labels=labels if count else None
        )
    assert "`max_wrong`" in caught.value.hint
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
    command = f"cloudserve rollback half --target here --to {live}"
    assert f"{revision} may still have traffic. Run: {command}" in note


def record_of(verbs, percent):
    """Return what the ledger knows of the step of a percentage."""
    steps = [r for r in verbs.history() if r.operation is Operation.PROMOTE]
    return next(r.canary for r in reversed(steps) if r.percent == percent)


def test_the_ledger_has_the_evidence_and_the_decision_of_each_step(canary, deployed):
    verbs, live, _ = deployed
    canary().promote(0.0)
    for percent in (10, 50):
        record = record_of(verbs, percent)
        assert (record.decision, record.live) == (Decision.PASSED, live)
        assert record.reason.startswith(f"{record.measures[0].live.requests} requests to each: ")
        errors, slow = record.measures
        assert (errors.name, errors.source, errors.canary.events) == ("errors", "probes", 0)
        assert errors.e_passed >= 20.0 > errors.e_worse
        assert slow.threshold > 0.0


def test_the_ledger_has_the_reason_of_a_rollback_before_it(canary, deployed, service):
    verbs, _, revision = deployed
    service.failing[revision] = 0.1
    decided = []
    with pytest.raises(CheckFailedError) as caught:
        canary(observe=decided.append).promote(0.0)
    record = record_of(verbs, 10)
    assert (record.decision, record.reason) == (Decision.WORSE, caught.value.message)
    assert record.measures[0].e_worse >= 400.0
    (end,) = decided
    assert (end.percent, end.record, end.plan.percent) == (10, record, 10)
    verdict = end.record.verdict(10)
    assert verdict.is_refused
    assert verdict.figures["errors (probes)"]["e_worse"] == record.measures[0].e_worse


def test_a_long_step_has_few_records(canary, deployed, platform):
    canary(CanaryRules(steps=(10,), hold=3000.0, deadline=6000.0, rate=1.0)).promote(0.0)
    entries = [key for key in platform.blobs.objects if "/ledger/" in key]
    assert 10 < len(entries) < 60


def test_a_rollback_by_somebody_else_ends_the_canary_and_stays(
    canary, deployed, platform, service, releases
):
    verbs, live, _ = deployed

    def colleague(number):
        if number == 10:
            releases(who="bob").rollback()

    service.before = colleague
    with pytest.raises(TakenOverError, match="bob has begun another release: rollback v123"):
        canary(CanaryRules(steps=(10,), hold=600.0)).promote(0.0)
    assert service.now < CHECK_SECONDS + 2.0
    assert platform.traffic == {live: 1.0}
    assert [r.operation for r in verbs.history()] == ["deploy", "deploy", "promote", "rollback"]


def test_traffic_that_somebody_moves_without_a_release_stays(canary, deployed, platform, service):
    verbs, live, revision = deployed

    def console(number):
        if number == 10:
            platform.traffic = {live: 1.0}

    service.before = console
    with pytest.raises(TakenOverError, match=f"{revision} has 0 % .* and this canary gave it 10 %"):
        canary().promote(0.0)
    assert platform.traffic == {live: 1.0}
    assert [release.percent for release in verbs.history()[2:]] == [10]


def test_a_failing_canary_does_not_undo_a_release_of_somebody_else(
    canary, deployed, platform, service, releases
):
    _, _, revision = deployed

    def colleague(number):
        if number == 10:
            releases(who="bob").promote("124")
            raise KeyboardInterrupt

    service.before = colleague
    with pytest.raises(KeyboardInterrupt) as caught:
        canary().promote(0.0)
    assert platform.traffic == {revision: 1.0}
    assert caught.value.__notes__[0].startswith("bob has begun another release: promote v124")


def test_the_deadline_counts_from_the_first_run(canary, deployed, platform, service):
    _, live, _ = deployed
    left = killed(canary, deployed, platform, service, at=1500)
    service.now += RULES.deadline
    with pytest.raises(CheckFailedError, match="is undecided at 50 %"):
        canary().promote(0.5, left)
    assert platform.traffic == {live: 1.0}


class Killed(BaseException):
    """The end of the process: nothing after it is carried out."""


def killed(canary, deployed, platform, service, at):
    """Kill a canary at a request; return the step that it left."""
    verbs, live, revision = deployed

    def kill(request):
        if request == at:
            raise Killed

    service.before = kill
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Canary, "_roll_back", lambda self, error: None)
        with pytest.raises(Killed):
            canary().promote(0.0)
    service.before = lambda request: None
    return left_by(verbs.ledger, revision, live)


def test_a_killed_run_is_continued_from_its_evidence(canary, deployed, platform, service):
    verbs, live, revision = deployed
    left = killed(canary, deployed, platform, service, at=1900)  # during the second step
    assert platform.traffic == {live: 0.5, revision: 0.5}
    kept = left.canary.measures[0].live.requests
    assert kept > 100
    assert open_canary(verbs.ledger, verbs.status()).revision == revision
    lines, request = [], next(service.numbers)
    outcome = canary(lines=lines).promote(platform.traffic[revision], left)
    assert lines[0] == (
        "continues the canary of 2026-11-30 12:00 UTC at 50 % with its recorded evidence"
    )
    (step,) = outcome.steps
    assert (step.percent, step.requests) == (50, kept + (next(service.numbers) - request) // 2)
    assert platform.traffic == {revision: 1.0}
    assert open_canary(verbs.ledger, verbs.status()) is None
