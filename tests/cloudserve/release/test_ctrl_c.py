"""Ctrl-C at every call of every changing verb to its bucket or platform.

A signal arrives before the call takes effect or after it. Whenever that is: the lock is free, each
release has its end in the ledger, one version has all the traffic unless a note says otherwise, and
the same verb, run again, comes to the end of an uninterrupted run.
"""

from __future__ import annotations

import itertools
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cloudserve.errors import CheckFailedError, CloudserveError, RemoteError, UnreachableError
from cloudserve.release.canary import comparison
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.canary.run import promote_by_canary
from cloudserve.release.canary.watch import CanaryEndedError
from cloudserve.release.state import ledger
from tests.cloudserve.conftest import MemoryBlobs
from tests.cloudserve.release.killable import AFTER, CALLS, Platform, Terminal, release_three

OF_BUCKET = ("exists", *CALLS)
OF_PLATFORM = (
    *("destination", "read", "check", "plan_deploy", "plan_traffic", "plan_undeploy"),
    *("holds", "plan_leftovers", "perform", "predict"),
)
# Wide margins, which few requests prove: the signals are tested here, not the evidence.
RULES = CanaryRules(steps=(10, 50), more_errors=0.6, more_slow=0.6, slow_factor=1e9, rate=1e6)
NOT_DONE = "may still have traffic. Run: cloudserve rollback"


def by_canary(releases):
    return promote_by_canary(releases, [b'{"instances": [1.0]}'], rules=RULES)


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb, and the live version and the number of versions after its end."""

    verb: str | Callable[..., Any]
    live: str
    deployed: int
    arguments: dict[str, Any] = field(default_factory=dict)


VERBS = {
    "deploy": Verb("deploy", "v1", 1, {"number": 1}),
    "promote": Verb("promote", "v1", 3, {"version": "1"}),
    "rollback": Verb("rollback", "v2", 3),
    "undeploy one": Verb("undeploy", "v3", 2, {"version": "1"}),
    "undeploy all": Verb("undeploy", "", 0, {"everything": True}),
    "gc": Verb("gc", "v3", 2, {"keep": 1}),
}
SLOW = {"deploy", "rollback", "gc", "undeploy all"}
"""test_interrupts.py stops a deploy and a rollback, in the default suite."""


def press_ctrl_c():
    """Send SIGINT to this process; in another thread raise what the main thread, waiting, gets."""
    if threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def break_down():
    """Fail as a connection does."""
    raise UnreachableError("the connection broke")


class Interrupted:
    """A terminal in which SIGINT arrives at chosen calls of a verb."""

    def __init__(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.terminal, self._patch = terminal, monkeypatch

    def run(self, numbers, after, verb, press=press_ctrl_c):
        """Run a verb with a signal at its calls of these numbers; return its error, if any.

        The last of the signals may not have come: see `came`.
        """
        calls = itertools.count(1)
        self.came = 0

        def around(call):
            def called(*arguments):
                is_due = next(calls) in numbers
                self.came += is_due
                if is_due and not after:
                    press()
                try:
                    return call(*arguments)
                finally:
                    if is_due and after:
                        press()

            return called

        platform = self.terminal.platform
        with self._patch.context() as patch:
            for owner, names in ((platform.blobs, OF_BUCKET), (platform, OF_PLATFORM)):
                for name in names:
                    patch.setattr(owner, name, around(getattr(owner, name)))
            try:
                self.terminal.run(verb.verb, **verb.arguments)
            except (KeyboardInterrupt, CloudserveError) as error:
                return error
        return None

    @property
    def live(self):
        traffic = self.terminal.platform.traffic
        return [name.partition("-")[0] for name, share in traffic.items() if share]

    def assert_nothing_is_left(self):
        assert not [
            key for key in self.terminal.platform.blobs.objects if key.endswith("lock.json")
        ]
        assert [r for r in self.terminal.run("history") if not r.has_end] == []


@pytest.fixture
def interrupted(terminal, monkeypatch):
    monkeypatch.setattr(ledger, "READERS", 1)  # threads cost more than reading memory
    return Interrupted(terminal, monkeypatch)


@AFTER
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in VERBS]
)
def test_a_verb_ends_whole_and_goes_on_when_it_is_run_again(interrupted, terminal, name, after):
    verb = VERBS[name]
    for number in itertools.count(1):
        if name == "deploy":
            terminal.platform = Platform()
        else:
            release_three(terminal)
        error = interrupted.run({number}, after, verb)
        assert isinstance(error, KeyboardInterrupt) == bool(interrupted.came)
        interrupted.assert_nothing_is_left()
        assert len(interrupted.live) <= 1
        # A rollback that is done would be a second one.
        is_done = "Every step is done" in "".join(getattr(error, "__notes__", ()))
        if error and not (is_done and name == "rollback"):
            terminal.run(verb.verb, **verb.arguments)
        assert interrupted.live == ([verb.live] if verb.live else [])
        assert len(terminal.platform.deployed) == verb.deployed
        interrupted.assert_nothing_is_left()
        if not interrupted.came:
            break
    assert number > 10


@pytest.fixture
def canary(interrupted, terminal, monkeypatch):
    """Give a function that starts again with version 1 live and version 2 beside it."""
    monkeypatch.setattr(comparison, "CALIBRATION", 4)
    terminal.run("deploy", 1)
    terminal.run("deploy", 2)
    kept = terminal.platform

    def again(answer=lambda: b"{}"):
        platform = Platform(deployed=dict(kept.deployed), traffic=dict(kept.traffic))
        platform.blobs.objects = dict(kept.blobs.objects)
        is_canary = {name: name.startswith("v2") for name in platform.deployed}
        platform.predict = lambda model, body, revision: answer() if is_canary[revision] else b"{}"
        terminal.platform = platform

    return again


def fail():
    raise RemoteError("500: the graph is broken")


CANARY = Verb(by_canary, "v2", 2)


def notes_of(error):
    return "\n".join(getattr(error, "__notes__", ()))


EVERY = pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.slow), pytest.param(23, id="each 23rd")]
)


@AFTER
@EVERY
def test_a_good_canary_is_rolled_back_or_promoted(interrupted, terminal, canary, after, step):
    ends = set()
    for number in itertools.count(step, step):
        canary()
        error = interrupted.run({number}, after, CANARY)
        interrupted.assert_nothing_is_left()
        if not interrupted.came:
            break
        assert isinstance(error, KeyboardInterrupt)
        (live,) = interrupted.live
        ends.add((live, "Rolled back: v1-" in notes_of(error)))
    assert interrupted.live == ["v2"]
    assert ends == {("v1", False), ("v1", True)}  # before the traffic moved, and after


@AFTER
@EVERY
def test_a_bad_canary_is_rolled_back_also_when_its_rollback_is_interrupted(
    interrupted, canary, after, step
):
    errors = set()
    for number in itertools.count(step, step):
        canary(fail)
        errors.add(type(interrupted.run({number}, after, CANARY)))
        interrupted.assert_nothing_is_left()
        assert interrupted.live == ["v1"]
        if not interrupted.came:
            break
    assert errors == {KeyboardInterrupt, CanaryEndedError}


@AFTER
@pytest.mark.slow
@pytest.mark.parametrize("distance", [4, 9])
def test_a_canary_that_keeps_its_traffic_says_so_and_is_rolled_back_by_the_next_run(
    interrupted, terminal, canary, after, distance
):
    """The second Ctrl-C and the third arrive while the traffic is taken back."""
    left = 0
    for number in itertools.count(1):
        canary(fail)
        presses = {number + distance * each for each in range(4)}
        error = interrupted.run(presses, after, CANARY)
        interrupted.assert_nothing_is_left()
        if not interrupted.came:
            break
        if interrupted.live != ["v1"]:
            left += 1
            assert NOT_DONE in notes_of(error)
            with pytest.raises(CheckFailedError):
                terminal.run(by_canary)
        assert interrupted.live == ["v1"]
        interrupted.assert_nothing_is_left()
    assert left


@AFTER
@pytest.mark.parametrize("press", [press_ctrl_c, break_down])
def test_a_canary_that_is_stopped_before_it_continues_says_which_traffic_there_is(
    interrupted, terminal, canary, after, press
):
    """No call before the first change of a second run leaves a shared traffic without a note."""
    canary()
    assert terminal.kill(1, True, by_canary, names=("perform",))
    kept = terminal.platform
    for number in itertools.count(1):
        terminal.platform = replace(kept, deployed=dict(kept.deployed), traffic=dict(kept.traffic))
        terminal.platform.blobs = MemoryBlobs()
        terminal.platform.blobs.objects = dict(kept.blobs.objects)
        error = interrupted.run({number}, after, CANARY, press=press)
        assert interrupted.came
        if len(interrupted.live) == 1:
            break
        if number > 1:
            assert re.search(r"v2-\w+ (still )?has 10 % ", notes_of(error))
            assert "cloudserve rollback half --target here --to v1-" in notes_of(error)
        elif press is press_ctrl_c:
            assert "the traffic was not read" in notes_of(error)
            assert "cloudserve status half --target here" in notes_of(error)
    assert number > 4


@AFTER
@pytest.mark.slow
@pytest.mark.parametrize("answer", [lambda: b"{}", fail], ids=["good", "bad"])
def test_a_canary_whose_connection_breaks_once_leaves_no_traffic_in_silence(
    interrupted, canary, after, answer
):
    ends = set()
    for number in itertools.count(1):
        canary(answer)
        error = interrupted.run({number}, after, CANARY, press=break_down)
        if not interrupted.came:
            break
        ends.add(len(interrupted.live))
        if len(interrupted.live) > 1:
            assert NOT_DONE in notes_of(error)
    assert 1 in ends
