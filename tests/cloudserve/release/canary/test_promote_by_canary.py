"""The verb of a promotion by canary: what it asks the platform, and what it refuses beforehand."""

from pathlib import Path

import pytest

import cloudserve
from cloudserve.errors import CheckFailedError, RemoteError, UserError
from cloudserve.release.canary.record import Decision
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import promote_by_canary

BODY = b'{"instances": [1.0]}'


def ask(platform, monkeypatch, answer):
    monkeypatch.setattr(platform, "predict", answer, raising=False)


def test_the_verb_asks_the_platform(deployed, platform, monkeypatch):
    verbs, live, revision = deployed
    requests = set()

    def answer(model, body, revision_id=None):
        requests.add((model, body, revision_id))
        if revision_id == revision:
            raise RemoteError("500: no")
        return b"{}"

    ask(platform, monkeypatch, answer)
    with pytest.raises(CheckFailedError):
        promote_by_canary(verbs, [BODY], rules=CanaryRules(rate=1e6))
    assert requests == {("half", BODY, live), ("half", BODY, revision)}
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


def test_a_program_promotes_by_canary_and_sees_each_decision(deployed, base):
    _, live, revision = deployed
    project = cloudserve.Project(
        Path("cloudserve.yaml"),
        {"half": cloudserve.Model("half", base)},
        {"here": cloudserve.Target("here", "memory")},
    )
    decided = []
    outcome = cloudserve.promote_by_canary(
        project,
        "half",
        "here",
        [BODY],
        rules=cloudserve.CanaryRules(steps=(50,), rate=10_000, slow_factor=1000.0),
        on_decision=decided.append,
        environ={"CLOUDSERVE_ACTOR": "ada"},
    )
    assert [(each.percent, each.record.decision) for each in decided] == [(50, Decision.PASSED)]
    assert (outcome.live, outcome.outcome.deployment.live) == (live, revision)
