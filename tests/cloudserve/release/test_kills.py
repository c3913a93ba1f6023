"""A process that is killed at any call to the bucket or the platform, and its command run again.

After a kill nothing of the process runs, so every later call fails too, its lock stays, and its
process is dead: a lock names a process by its start time, which is another one in each run here.
"""

import itertools
import shutil
from dataclasses import dataclass

import pytest

from cloudserve import registry
from cloudserve.errors import GateRefusedError, ModelError, UserError
from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases
from cloudserve.release.state import lock as locks
from cloudserve.release.state.ledger import Event
from cloudserve.release.types import Action, Operation
from cloudserve.storage.events import Reporter
from tests.cloudserve.conftest import MemoryPlatform

CALLS = ("ensure", "head", "read", "write", "upload", "list", "delete")


class Killed(BaseException):
    """What nothing in the code under test catches, as nothing catches a SIGKILL."""


@dataclass
class Platform(MemoryPlatform):
    """A platform on which a promotion takes two steps: the traffic, then a name."""

    name: str = ""

    def plan_traffic(self, reading, revision_id, percent=100):
        moves = super().plan_traffic(reading, revision_id, percent)
        if self.name == revision_id:
            return moves
        return (*moves, Action("name", f"name {revision_id}", {"name": revision_id}))

    def perform(self, action, reporter):
        if action.kind == "name":
            self.name = action.args["name"]
        else:
            super().perform(action, reporter)


class Terminal:
    """Runs verbs, each as a process of its own: with a start time, and perhaps killed."""

    def __init__(self, tmp_path, base, monkeypatch):
        self.platform = Platform()
        self.three = None
        self.lines = []
        self._monkeypatch = monkeypatch
        self._runs = itertools.count(1)
        models = {"half": Model("half", tmp_path / "model")}
        for number in (1, 2, 3):
            shutil.copytree(base / "123", tmp_path / "model" / str(number))
        self.project = Project(
            tmp_path / "cloudserve.yaml", models, {"here": Target("here", "memory")}
        )

    def run(self, verb, *arguments, who="ada", **options):
        birth = f"started at {next(self._runs)}"
        self._monkeypatch.setattr(locks, "birth", lambda pid: birth)
        self._monkeypatch.setattr(registry, "provider", lambda target, environ: self.platform)
        environ = {"CLOUDSERVE_ACTOR": who}
        reporter = Reporter(self.lines.append)
        releases = Releases(self.project, "half", "here", environ=environ, reporter=reporter)
        return getattr(releases, verb)(*arguments, **options)

    def kill(self, number, after, verb, /, *arguments, **options):
        """Kill a verb at its n-th call, before or after it took effect.

        Return False if it came to its end before, and None if it was killed after its last call.
        """
        calls = itertools.count(1)
        is_dead = is_over = False

        def around(name, call):
            def called(*given):
                nonlocal is_dead, is_over
                if is_dead or (next(calls) == number and not after):
                    is_dead = True
                    raise Killed
                result = call(*given)
                if name == "delete" and given[0].endswith("lock.json"):
                    is_over = True
                if after and next(after_calls) == number:
                    is_dead = True
                    raise Killed
                return result

            return called

        after_calls = itertools.count(1)
        with self._monkeypatch.context() as patch:
            for owner, names in (
                (self.platform.blobs, CALLS),
                (self.platform, ("read", "perform")),
            ):
                for name in names:
                    patch.setattr(owner, name, around(name, getattr(owner, name)))
            try:
                self.run(verb, *arguments, **options)
            except Killed:
                return None if is_over else True
        return False

    @property
    def live(self):
        (name,) = (name for name, share in self.platform.traffic.items() if share)
        return name.partition("-")[0]

    @property
    def left(self):
        """Return copies of all that verbs change, without locks."""
        platform = self.platform
        objects = {k: v for k, v in platform.blobs.objects.items() if not k.endswith("lock.json")}
        return dict(platform.deployed), dict(platform.traffic), platform.name, objects

    def assert_all_is_ended(self):
        assert self.platform.name.partition("-")[0] in {self.live, ""}
        assert [r for r in self.run("history") if not r.has_end] == []
        assert not [key for key in self.platform.blobs.objects if key.endswith("lock.json")]


@pytest.fixture
def terminal(tmp_path, shared_models, monkeypatch):
    return Terminal(tmp_path, shared_models / "tfs_half_plus_two_2v", monkeypatch)


def release_three(terminal):
    """Promote version 1, 2 and 3 one after the other; what that makes is kept for the next time."""
    if terminal.three is None:
        for number in (1, 2, 3):
            terminal.run("deploy", number)
            terminal.run("promote", str(number))
        terminal.three = terminal.platform
    kept = terminal.three
    terminal.platform = Platform(
        deployed=dict(kept.deployed), traffic=dict(kept.traffic), name=kept.name
    )
    terminal.platform.blobs.objects = dict(kept.blobs.objects)


AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


def kills(least):
    """Count from 1 until told that a verb came to its end; it takes `least` calls at least."""
    count = itertools.count(1)
    going = [True]

    def stop():
        going[0] = False

    def numbers():
        while going[0]:
            yield (number := next(count))
        assert number > least

    return numbers(), stop


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
    numbers, stop = kills(15)
    for number in numbers:
        release_three(terminal)
        if not terminal.kill(number, after, "promote", "1"):
            stop()
        terminal.run("promote", "1")
        assert terminal.live == "v1"
        terminal.assert_all_is_ended()
        assert terminal.run("rollback").plan.revision.number == 3


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
    ],
    ids=["deploy", "promote", "rollback", "undeploy one", "undeploy all"],
)


@AFTER
@VERBS
def test_what_is_killed_before_its_first_entry_has_changed_nothing(
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


@pytest.mark.parametrize("again", range(9, 21, 2))
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


def test_the_end_of_a_killed_release_says_who_found_it(terminal):
    release_three(terminal)
    entries = iter(range(100))
    blobs = terminal.platform.blobs

    def die_at_the_end(key):
        if "/ledger/" in key and terminal.live == "v2" and next(entries) == 2:
            raise Killed

    blobs.before_write, delete, blobs.delete = die_at_the_end, blobs.delete, lambda key: None
    with pytest.raises(Killed):
        terminal.run("rollback")
    blobs.before_write, blobs.delete = lambda key: None, delete
    killed = terminal.run("history")[-1]
    assert (killed.outcome, killed.has_end) == (Event.STEP, False)

    outcome = terminal.run("rollback", who="bob")
    assert not outcome.changed
    assert terminal.lines[-1] == (
        f"recorded as finished: the rollback of {outcome.plan.revision.id} that ada began at "
        f"{killed.started:%Y-%m-%d %H:%M} UTC"
    )
    ended = terminal.run("history")[-1]
    assert (ended.id, ended.outcome, ended.who) == (killed.id, Event.FINISHED, "ada")
    assert ended.ended_by == "bob"
    terminal.assert_all_is_ended()


def stop_rollback(terminal):
    """Interrupt a rollback to version 2 before it moves anything."""

    def interrupt(action):
        raise KeyboardInterrupt

    release_three(terminal)
    terminal.platform.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        terminal.run("rollback")
    terminal.platform.before = lambda action: None


def test_a_rollback_to_a_revision_that_is_gone_is_not_continued_to_another(terminal):
    stop_rollback(terminal)
    gone = next(name for name in terminal.platform.deployed if name.startswith("v2-"))
    del terminal.platform.deployed[gone]
    with pytest.raises(UserError) as caught:
        terminal.run("rollback")
    assert caught.value.message == (
        f"the rollback of {gone} by ada was not finished, and {gone} is not deployed any more"
    )
    assert "name the revision to go back to" in caught.value.hint
    assert terminal.run("rollback", "1").deployment.live.startswith("v1-")


def test_an_interrupted_rollback_is_continued_after_a_deploy(terminal):
    stop_rollback(terminal)
    shutil.rmtree(terminal.project.models["half"].path / "3")
    del terminal.platform.deployed[next(n for n in terminal.platform.deployed if n[:3] == "v1-")]
    assert terminal.run("deploy", 1).changed
    assert terminal.run("rollback").plan.revision.number == 2
