"""Verbs that are killed at any call to the bucket or the platform, and run again.

After a kill nothing of the process runs, so every later call fails too, its lock stays, and its
process is dead: a lock names a process by its start time, which is another one in each run here.
"""

import itertools
import shutil
from dataclasses import dataclass, replace

import pytest

from cloudserve import registry
from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases
from cloudserve.release.state import ledger
from cloudserve.release.state import lock as locks
from cloudserve.release.types import Action
from cloudserve.storage.events import Reporter
from tests.cloudserve.conftest import MemoryPlatform

CALLS = ("ensure", "head", "read", "write", "upload", "list", "delete")
ALL_CALLS = (*CALLS, "perform")


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

    def why_not_asked(self, reading, revision_id):
        return ""

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
        # The bucket is in memory: starting threads takes longer than the reads.
        monkeypatch.setattr(ledger, "READERS", 1)
        models = {"half": Model("half", tmp_path / "model")}
        for number in (1, 2, 3):
            shutil.copytree(base / "123", tmp_path / "model" / str(number))
        self.project = Project(
            tmp_path / "cloudserve.yaml", models, {"here": Target("here", "memory")}
        )

    def gate(self, gates):
        """Give the target other gates."""
        target = replace(self.project.targets["here"], gates=gates)
        self.project = replace(self.project, targets={"here": target})

    def run(self, verb, *arguments, who="ada", **options):
        """Run a verb by its name, or a function that takes the verbs first."""
        birth = f"started at {next(self._runs)}"
        self._monkeypatch.setattr(locks, "birth", lambda pid: birth)
        self._monkeypatch.setattr(registry, "provider", lambda target, environ: self.platform)
        environ = {"CLOUDSERVE_ACTOR": who}
        reporter = Reporter(self.lines.append)
        releases = Releases(self.project, "half", "here", environ=environ, reporter=reporter)
        call = verb if callable(verb) else getattr(releases, verb)
        original = (releases, *arguments) if callable(verb) else arguments
        return call(*original, **options)

    def kill(self, number, after, verb, /, *arguments, names=ALL_CALLS, **options):
        """Kill a verb at its n-th call of these names, before or after it took effect.

        Return False if it came to its end before, and None if it was killed after its last call.
        """
        calls = itertools.count(1)
        is_dead = is_over = False

        def around(name, call):
            def called(*arguments_of_call):
                nonlocal is_dead, is_over
                is_counted = name in names
                if is_dead or (is_counted and next(calls) == number and not after):
                    is_dead = True
                    raise Killed
                result = call(*arguments_of_call)
                if name == "delete" and arguments_of_call[0].endswith("lock.json"):
                    is_over = True
                if is_counted and after and next(after_calls) == number:
                    is_dead = True
                    raise Killed
                return result

            return called

        after_calls = itertools.count(1)
        with self._monkeypatch.context() as patch:
            for owner, called_names in (
                (self.platform.blobs, CALLS),
                (self.platform, ("read", "perform")),
            ):
                for name in called_names:
                    patch.setattr(owner, name, around(name, getattr(owner, name)))
            try:
                self.run(verb, *arguments, **options)
            except Killed:
                return None if is_over and not callable(verb) else True
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
