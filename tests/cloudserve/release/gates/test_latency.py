"""The gate latency: bounds hold if they are proven to, of requests that are sent in turns."""

from __future__ import annotations

import itertools
import json

import pytest

from cloudserve.errors import GateRefusedError, RemoteError
from cloudserve.project.gate_settings import GateSettings, LatencySettings
from cloudserve.release.gates.latency import WARM_UP, LatencyGate, Stopwatch

OFF = GateSettings(contract=False)


def gates(**settings):
    return GateSettings(contract=False, latency=LatencySettings(**settings))


@pytest.fixture
def two(releases, platform, monkeypatch):
    """Deploy 123, which is live, and 124; the platform takes the seconds of `platform.seconds`."""
    clock = itertools.count(0)
    now = [0.0]
    called_revisions = []

    def predict(model, body, revision_id=None):
        called_revisions.append(revision_id)
        seconds = platform.seconds[revision_id[:4]]
        now[0] += seconds(next(clock)) if callable(seconds) else seconds
        return json.dumps({"predictions": [1.0]}).encode()

    monkeypatch.setattr(platform, "predict", predict)
    why = staticmethod(lambda reading, revision_id: "")
    monkeypatch.setattr(type(platform), "why_not_asked", why, raising=False)
    monkeypatch.setattr(LatencyGate.__init__, "__defaults__", (lambda: now[0],))
    platform.seconds = {"v123": 0.010, "v124": 0.012}
    platform.called_revisions = called_revisions
    releases(gates=OFF).deploy(123)
    releases(gates=OFF).deploy(124)


def latency(outcome):
    return next(verdict for verdict in outcome.verdicts if verdict.gate == "latency")


def test_a_bound_in_milliseconds_is_proven(releases, platform, two):
    verdict = latency(releases(gates=gates(milliseconds={"p50": 20, "p99": 40})).promote("124"))
    assert verdict.sentence == (
        "p50 is at most 20 ms: 12, and from 12 to 12 with a confidence of 95%; "
        "p99 is at most 40 ms: 12, and from 12 to 12 with a confidence of 95%"
    )
    assert len(platform.called_revisions) == 500 + WARM_UP
    assert verdict.figures["bounds"][0]["high"] == pytest.approx(12)


def test_a_slow_version_gets_no_traffic(releases, platform, two):
    live, platform.seconds["v124"] = dict(platform.traffic), 0.2
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=gates(milliseconds={"p99": 80})).promote("124")
    assert "p99 is more than 80 ms: 200, and from 200 to 200" in caught.value.message
    assert platform.traffic == live


def test_a_bound_that_may_hold_is_not_enough(releases, platform, two):
    platform.seconds["v124"] = lambda number: 0.5 if number % 100 == 0 else 0.01
    with pytest.raises(GateRefusedError) as caught:
        releases(gates=gates(milliseconds={"p99": 80})).promote("124")
    assert "p99 is not proven to be at most 80 ms" in caught.value.message
    assert caught.value.hint.startswith("it may hold: send more `requests`")


def test_the_live_revision_is_asked_in_turns(releases, platform, two):
    live = platform.read("half").deployment.live
    verdict = latency(releases(gates=gates(times_live={"p50": 1.5}, requests=9)).promote("124"))
    assert verdict.sentence.startswith(f"p50 is at most 1.5 times that of {live}: 1.2")
    new = next(name for name in platform.deployed if name != live)
    assert platform.called_revisions[:4] == [new, live, live, new]
    assert len(platform.called_revisions) == 2 * (9 + WARM_UP)


def test_a_version_that_is_slower_than_the_live_one_gets_no_traffic(releases, platform, two):
    platform.seconds["v124"] = 0.03
    with pytest.raises(GateRefusedError, match=r"p50 is more than 1\.5 times that of v123"):
        releases(gates=gates(times_live={"p50": 1.5}, requests=9)).promote("124")


def test_a_version_that_fails_for_a_tenth_of_the_requests_gets_no_traffic(
    releases, platform, two, monkeypatch
):
    count = itertools.count(1)

    def predict(model, body, revision_id=None):
        if next(count) % 10 == 0:
            raise RemoteError("out of memory", status=500)
        return b"{}"

    monkeypatch.setattr(platform, "predict", predict)
    with pytest.raises(GateRefusedError, match="50 of 500 requests fail: out of memory"):
        releases(gates=gates(milliseconds={"p50": 1000})).promote("124")


def test_requests_that_the_live_revision_refuses_too_are_left_out():
    def refuse(body):
        raise RemoteError("bad", status=400)

    stopwatch = Stopwatch({"new": refuse, "live": refuse}, iter(range(99)).__next__)
    stopwatch.send(b"{}")
    assert stopwatch.failures["new"] == [("bad", True)]
    assert stopwatch.times["new"] == []


def test_without_requests_to_one_revision_the_gate_refuses_with_the_reason(
    releases, platform, two, monkeypatch
):
    why = staticmethod(lambda reading, revision_id: "the traffic decides who answers")
    monkeypatch.setattr(type(platform), "why_not_asked", why)
    verbs = releases(gates=gates(milliseconds={"p50": 20}))
    plan = verbs.plan_promote("124")
    assert plan.gates[-1].sentence.startswith("measure 500 requests to v124")
    assert [(verdict.gate, verdict.ruling) for verdict in plan.verdicts[-1:]] == [
        ("latency", "refused")
    ]
    with pytest.raises(GateRefusedError) as caught:
        verbs.promote("124")
    assert caught.value.message.endswith("cannot be measured: the traffic decides who answers")
    overrides = {"latency": "measured by hand"}
    verbs = releases(gates=gates(milliseconds={"p50": 20}), overrides=overrides)
    assert latency(verbs.promote("124")).reason == "measured by hand"


def test_a_version_that_has_traffic_is_not_measured_again(releases, platform, two):
    settings = gates(times_live={"p50": 1.5}, requests=9)
    releases(gates=settings).promote("124", percent=10)
    platform.seconds["v124"] = 9.0
    assert releases(gates=settings).plan_promote("124").gates == ()
    live = platform.read("half").deployment.live
    platform.traffic = {live: 1.0}
    assert [step.gate for step in releases(gates=settings).plan_promote("124").gates] == ["latency"]


def test_a_deployment_has_no_response_times_yet(releases, two):
    plan = releases(gates=gates(milliseconds={"p50": 20})).plan_deploy(123)
    assert "latency" not in [step.gate for step in plan.gates]
