"""A canary that is killed at any write to the bucket or the platform, and run again."""

import re
from dataclasses import replace

import pytest

from cloudserve.errors import CheckFailedError, RemoteError, UserError
from cloudserve.release.canary import comparison
from cloudserve.release.canary.record import Decision
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import promote_by_canary
from cloudserve.release.state import ledger
from cloudserve.release.types import Operation
from tests.cloudserve.release.killable import AFTER, Platform, kills

# Wide margins, which few requests prove: the kills are tested here, not the evidence.
RULES = CanaryRules(steps=(10, 50), more_errors=0.6, more_slow=0.6, slow_factor=1e9, rate=1e6)
LABELLED = replace(RULES, more_wrong=0.5)
WRITES = ("write", "perform")


@pytest.fixture
def two(terminal, monkeypatch):
    """Give a function that starts again with version 1 live and version 2 beside it."""
    monkeypatch.setattr(comparison, "CALIBRATION", 4)
    monkeypatch.setattr(ledger, "READERS", 1)  # threads cost more than reading memory
    terminal.run("deploy", 1)
    terminal.run("deploy", 2)
    kept = terminal.platform

    def again(answer=lambda: b"{}"):
        platform = terminal.platform = Platform(
            deployed=dict(kept.deployed), traffic=dict(kept.traffic)
        )
        platform.blobs.objects = dict(kept.blobs.objects)
        is_canary = {name: name.startswith("v2") for name in platform.deployed}
        platform.predict = lambda model, body, revision: answer() if is_canary[revision] else b"{}"

    return again


def by_canary(releases):
    return promote_by_canary(releases, [b'{"instances": [1.0]}'], rules=RULES)


def steps(terminal):
    """Return the percentages and decisions of the canary's steps that the ledger has."""
    promotions = (r for r in terminal.run("history") if r.operation is Operation.PROMOTE)
    return [(r.percent, r.canary.decision) for r in promotions]


@AFTER
def test_a_good_canary_that_is_killed_and_run_again_is_promoted_once(terminal, two, after):
    numbers, stop = kills(15)
    for number in numbers:
        two()
        is_killed = terminal.kill(number, after, by_canary, names=WRITES)
        if is_killed is False:
            stop()
        elif is_killed:
            done = steps(terminal)
            terminal.run(by_canary)
            # A step whose evidence was complete is not measured again.
            passed = {percent for percent, decision in done if decision is Decision.PASSED}
            assert passed & {percent for percent, _ in steps(terminal)[len(done) :]} <= {100}
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()
        assert {percent for percent, _ in steps(terminal)} == {10, 50, 100}
        assert terminal.run("rollback").plan.revision.number == 1


@AFTER
def test_a_bad_canary_that_is_killed_and_run_again_is_rolled_back(terminal, two, after):
    def fail():
        raise RemoteError("500: the graph is broken")

    numbers, stop = kills(8)
    rolled_back_again = set()
    for number in numbers:
        two(fail)
        try:
            terminal.kill(number, after, by_canary, names=WRITES)
        except CheckFailedError:
            stop()
        else:
            with pytest.raises(CheckFailedError) as caught:
                terminal.run(by_canary)
            if "its rollback was cut off" in str(caught.value):
                rolled_back_again.add(number)
        assert terminal.live == "v1"
        terminal.assert_all_is_ended()
        assert Decision.WORSE in {decision for _, decision in steps(terminal)}
    assert len(rolled_back_again) > 3


def test_a_canary_that_is_interrupted_and_then_killed_is_rolled_back_by_the_next_run(terminal, two):
    """The second process learns from the ledger that the first one had given up."""
    numbers, stop = kills(8)
    ends = set()
    for number in numbers:
        two(interrupt_after(8))
        try:
            is_killed = terminal.kill(number, True, by_canary, names=WRITES)
        except KeyboardInterrupt:
            is_killed = False
        if is_killed is False:
            stop()
            break
        terminal.platform.predict = lambda model, body, revision: b"{}"
        try:
            terminal.run(by_canary)
            ends.add(terminal.live)
        except CheckFailedError as error:
            assert "interrupted" in str(error)
            ends.add(terminal.live)
        terminal.assert_all_is_ended()
    assert ends == {"v1", "v2"}


def test_a_canary_that_cannot_be_continued_says_that_it_still_has_its_traffic(terminal, two):
    two()
    assert terminal.kill(1, True, by_canary, names=("perform",))
    with pytest.raises(UserError, match="labels") as caught:
        terminal.run(lambda releases: promote_by_canary(releases, [b"{}"], rules=LABELLED))
    (note,) = caught.value.__notes__
    assert re.match(r"v2-\w+ still has 10 % of the traffic, of an earlier run\. Run the ", note)


def interrupt_after(requests):
    left = [requests]

    def answer():
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return b"{}"

    return answer
