"""A process that is killed at any call to the bucket or the platform, and its command run again.

After a kill nothing of the process runs, so every later call fails too, its lock stays, and its
process is dead: a lock names a process by its start time, which is another one in each run here.
"""

import pytest

from cloudserve.errors import GateRefusedError, ModelError, UserError
from cloudserve.project.gate_settings import ApprovalSettings, GateSettings, LatencySettings
from cloudserve.release.state.entries import Event
from cloudserve.release.types import Operation
from tests.cloudserve.release.killable import AFTER, Platform, kills, release_three


@AFTER
def test_a_deploy_that_is_killed_and_run_again_is_one_deploy(terminal, after):
    numbers, stop = kills(20)
    for number in numbers:
        terminal.platform = Platform()
        if not terminal.kill(number, after, "deploy", 1):
            stop()
        terminal.run("deploy", 1)
        assert terminal.live == "v1"
        terminal.assert_all_is_ended()
        assert terminal.run("history")[-1].outcome is Event.FINISHED
        assert not terminal.run("deploy", 1).changed


@AFTER
def test_a_promotion_that_is_killed_and_run_again_is_one_promotion(terminal, after):
    """Its gates are checked again, and find the approval that was there before."""
    approval, latency = ApprovalSettings(require_other=True), {"p50": 10_000.0}
    numbers, stop = kills(15)
    for number in numbers:
        terminal.gate(GateSettings())
        release_three(terminal)
        terminal.run("approve", "1", who="bob")
        settings = LatencySettings(requests=6, milliseconds=latency)
        terminal.gate(GateSettings(approval=approval, latency=settings))
        if not terminal.kill(number, after, "promote", "1"):
            stop()
        terminal.run("promote", "1")
        assert terminal.live == "v1"
        terminal.assert_all_is_ended()
        assert terminal.run("rollback").plan.revision.number == 3


@AFTER
def test_an_approval_that_is_killed_and_run_again_is_recorded_and_nothing_else_is_lost(
    terminal, after
):
    numbers, stop = kills(4)
    gates = GateSettings(approval=ApprovalSettings(require_other=True))
    for number in numbers:
        terminal.gate(GateSettings())
        release_three(terminal)
        terminal.gate(gates)
        before = terminal.run("history")
        if not terminal.kill(number, after, "approve", "1", who="bob"):
            stop()
        terminal.run("approve", "1", who="bob")
        history = terminal.run("history")
        assert history[: len(before)] == before
        assert {release.outcome for release in history[len(before) :]} == {Event.APPROVED}
        assert terminal.run("promote", "1").changed


@AFTER
def test_a_refused_deploy_that_is_killed_and_run_again_is_refused_and_moves_nothing(
    terminal, after, monkeypatch
):
    def refuse(artifact):
        raise ModelError("the image has no op `Foo`")

    numbers, stop = kills(10)
    for number in numbers:
        terminal.platform = Platform()
        terminal.run("deploy", 1)
        before = dict(terminal.platform.deployed), dict(terminal.platform.traffic)
        monkeypatch.setattr(terminal.platform, "check", refuse)
        try:
            killed = terminal.kill(number, after, "deploy", 2)
        except GateRefusedError:
            killed = False
        if not killed:
            stop()
        with pytest.raises(GateRefusedError, match="no op `Foo`"):
            terminal.run("deploy", 2)
        assert (terminal.platform.deployed, terminal.platform.traffic) == before
        terminal.assert_all_is_ended()
        assert terminal.run("history")[-1].outcome is Event.REFUSED
        with pytest.raises(UserError, match="no earlier revision"):
            terminal.run("rollback")


VERBS = pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("deploy", {"number": 1}),
        ("promote", {"version": "1"}),
        ("rollback", {}),
        ("undeploy", {"version": "1"}),
        ("undeploy", {"everything": True}),
        ("gc", {"keep": 1}),
    ],
    ids=["deploy", "promote", "rollback", "undeploy one", "undeploy all", "gc"],
)


@AFTER
@VERBS
def test_a_release_killed_before_its_first_entry_has_changed_nothing(
    terminal, after, verb, arguments
):
    """No later verb has to know of it: beside its lock, only the bucket itself may be new."""
    numbers, stop = kills(10)
    unrecorded = 0
    for number in numbers:
        if verb == "deploy":
            terminal.platform = Platform()
        else:
            release_three(terminal)
        before, entries = terminal.left, len(terminal.run("history"))
        if not terminal.kill(number, after, verb, **arguments):
            stop()
        elif len(terminal.run("history")) == entries:
            unrecorded += 1
            assert terminal.left == before
    assert unrecorded > 3


@AFTER
def test_a_rollback_that_is_killed_and_run_again_goes_back_once(terminal, after):
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        killed = terminal.kill(number, after, "rollback")
        if killed:
            terminal.run("rollback")
        else:
            stop()
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()
        assert terminal.run("rollback").plan.revision.number == 1


@pytest.mark.parametrize(
    "again", [9, 13, 17, *(pytest.param(n, marks=pytest.mark.slow) for n in (11, 15, 19))]
)
def test_a_rollback_that_is_killed_twice_goes_back_once(terminal, again):
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        if not terminal.kill(number, True, "rollback"):
            stop()
        elif terminal.kill(again, True, "rollback"):
            terminal.run("rollback")
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()


@AFTER
def test_a_promotion_that_is_killed_is_taken_back_wherever_it_was(terminal, after):
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        terminal.run("rollback")  # version 2 is live, 1 is before it
        if not terminal.kill(number, after, "promote", "3"):
            stop()
        if terminal.run("history")[-1].operation is Operation.ROLLBACK:
            continue  # the promotion had not begun
        assert terminal.run("rollback").plan.revision.number == 2
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()
        assert terminal.run("rollback").plan.revision.number == 1


@AFTER
def test_an_applied_plan_that_is_killed_and_applied_again_is_applied_once(terminal, after):
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        plan = terminal.run("plan_rollback")
        if not terminal.kill(number, after, "apply", plan):
            stop()
        terminal.run("apply", plan)
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()


@AFTER
@pytest.mark.parametrize(("arguments", "left"), [({"version": "1"}, 2), ({"everything": True}, 0)])
def test_an_undeployment_that_is_killed_and_run_again_removes_the_same(
    terminal, after, arguments, left
):
    numbers, stop = kills(10)
    for number in numbers:
        release_three(terminal)
        if not terminal.kill(number, after, "undeploy", **arguments):
            stop()
        outcome = terminal.run("undeploy", **arguments)
        assert len(outcome.deployment.revisions) == left
        assert not [r for r in terminal.run("history") if not r.has_end]
        assert terminal.run("history")[-1].operation is Operation.UNDEPLOY
        assert not [key for key in terminal.platform.blobs.objects if key.endswith("lock.json")]


@AFTER
def test_a_collection_that_is_killed_and_run_again_removes_the_same(terminal, after):
    numbers, stop = kills(20)
    for number in numbers:
        release_three(terminal)
        terminal.platform.leftovers = True
        if not terminal.kill(number, after, "gc", 1):
            stop()
        outcome = terminal.run("gc", 1)
        assert [d.revision.number for d in outcome.deployment.revisions] == [2, 3]
        assert not [key for key in terminal.platform.blobs.objects if "v1-" in key]
        assert not terminal.platform.leftovers
        assert terminal.live == "v3"
        terminal.assert_all_is_ended()
        assert terminal.run("history")[-1].operation is Operation.GC


@AFTER
def test_a_rollback_from_the_bucket_that_is_killed_and_run_again_goes_back_once(terminal, after):
    numbers, stop = kills(20)
    for number in numbers:
        release_three(terminal)
        terminal.run("undeploy", "2")
        if terminal.kill(number, after, "rollback"):
            terminal.run("rollback")
        else:
            stop()
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()


@AFTER
def test_a_promotion_ends_what_a_killed_rollback_left(terminal, after):
    numbers, stop = kills(15)
    outcomes = set()
    for number in numbers:
        release_three(terminal)
        if not terminal.kill(number, after, "rollback"):
            stop()
        outcome = terminal.run("promote", "1", who="bob")
        assert terminal.live == "v1"
        terminal.assert_all_is_ended()
        killed = terminal.run("history")[-2]
        if killed.operation is Operation.ROLLBACK:
            outcomes.add(killed.outcome)
        if killed.outcome is Event.SUPERSEDED:
            assert killed.ended_by == "bob"
            assert killed.superseded_by == f"promote {outcome.plan.revision.id}"
    assert outcomes == {Event.SUPERSEDED, Event.FINISHED}


@AFTER
def test_a_deploy_that_finds_nothing_to_do_leaves_a_killed_rollback_to_be_continued(
    terminal, after
):
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        if not terminal.kill(number, after, "rollback"):
            stop()
            continue
        assert not terminal.run("deploy", 1).changed
        if terminal.run("history")[-1].has_end:  # the rollback had not begun, or all was done
            terminal.assert_all_is_ended()
            continue
        terminal.run("rollback")
        assert terminal.live == "v2"
        terminal.assert_all_is_ended()
