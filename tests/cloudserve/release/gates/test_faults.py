"""Faults at every call of a gated release: nothing is lost, and no refused version is served.

Each call to the bucket or the platform fails once, before it took effect or after it, as a cut
connection does. Whatever fails: a version that its gate refuses has no traffic, the ledger has the
verdicts that were reached, the exit code tells, and the same command again comes to its end.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cloudserve import registry
from cloudserve.cli.errors import CODES
from cloudserve.cli.exits import Exit
from cloudserve.errors import CloudserveError, GateRefusedError, ModelError, UnreachableError
from cloudserve.golden.file import Example, Golden, Header, write_golden
from cloudserve.project.gate_settings import (
    ApprovalSettings,
    GateSettings,
    GoldenSettings,
    LatencySettings,
    ParitySettings,
    RequestSettings,
)
from cloudserve.release.gates.latency import LatencyGate
from cloudserve.release.state import lock as locks
from cloudserve.release.state.entries import Event
from tests.cloudserve.release.killable import CALLS, Platform

OFF = GateSettings(contract=False)
OF_PLATFORM = ("destination", "read", "check", "predict", "perform")


class BrokenError(UnreachableError):
    """The fault."""


@dataclass
class Answering(Platform):
    """A platform whose second version answers what the test says."""

    second: bytes = b'{"predictions": [2.5]}'
    seconds: float = 0.0
    now: list[float] = field(default_factory=lambda: [0.0])

    def predict(self, model, body, revision_id=None):
        if revision_id is None or revision_id.startswith("v1-"):
            return b'{"predictions": [2.5]}'
        self.now[0] += self.seconds
        return self.second


class Faulty:
    """Runs verbs of which one call fails."""

    def __init__(self, releases, base, monkeypatch):
        self.platform = Answering()
        self._releases, self._base, self._patch = releases, base, monkeypatch
        self._births = itertools.count(1)
        monkeypatch.setattr(registry, "provider", lambda target, environ: self.platform)

    def run(self, verb, *arguments, gates=OFF, who="ada"):
        birth = f"started at {next(self._births)}"  # each verb in a process of its own
        self._patch.setattr(locks, "birth", lambda pid: birth)
        return getattr(self._releases(path=self._base, gates=gates, who=who), verb)(*arguments)

    def fail(self, number, after, verb, *arguments, gates):
        """Run a verb whose n-th call fails; return whether one failed, and the verb's error."""
        calls = itertools.count(1)
        is_broken = False

        def around(call):
            def called(*arguments_of_call):
                nonlocal is_broken
                is_due = next(calls) == number
                is_broken |= is_due
                result = None if is_due and not after else call(*arguments_of_call)
                if is_due:
                    raise BrokenError("the connection broke")
                return result

            return called

        blobs = self.platform.blobs
        owners = ((blobs, CALLS), (self.platform, OF_PLATFORM))
        with self._patch.context() as patch:
            for owner, names in owners:
                for name in names:
                    patch.setattr(owner, name, around(getattr(owner, name)))
            try:
                self.run(verb, *arguments, gates=gates)
            except CloudserveError as error:
                return is_broken, error
        return is_broken, None

    def each_call(self):
        """Yield 1, 2, 3 and so on; the bucket and the platform are as now for each of them."""
        platform = self.platform
        objects, deployed = dict(platform.blobs.objects), dict(platform.deployed)
        traffic, name = dict(platform.traffic), platform.name
        for number in itertools.count(1):
            yield number
            platform.blobs.objects = dict(objects)
            platform.deployed, platform.traffic = dict(deployed), dict(traffic)
            platform.name = name

    @property
    def live(self):
        return [name.partition("-")[0] for name, share in self.platform.traffic.items() if share]

    def recorded(self, operation="promote"):
        """Return the recorded releases of an operation: their ids, outcomes and rulings."""
        history = [
            release for release in self.run("history", 1000) if release.operation == operation
        ]
        return {r.id: (r.outcome, tuple(v.ruling for v in r.verdicts)) for r in history}


def code_of(error):
    return next(code for kind, code in CODES if isinstance(error, kind))


def is_kept(before, after):
    """Return whether every release is still recorded, with at least the verdicts that it had."""
    return all(
        name in after and after[name][1][: len(rulings)] == rulings
        for name, (_, rulings) in before.items()
    )


@pytest.fixture
def faulty(releases, tmp_path, shared_models, monkeypatch):
    base = tmp_path / "models"
    base.mkdir()
    for number in ("1", "2"):
        (base / number).symlink_to(shared_models / "tfs_half_plus_two_cpu" / "123")
    (base / "3").symlink_to(shared_models / "tfs_counter" / "123")
    example = Example({"instances": [1.0]}, {"predictions": [2.5]})
    write_golden(Golden(Header(), (example,)), tmp_path / "half.jsonl")
    monkeypatch.chdir(tmp_path)
    return Faulty(releases, base, monkeypatch)


@dataclass(frozen=True, slots=True)
class Case:
    """A gate, and what makes it refuse."""

    gates: GateSettings
    worse: dict[str, Any] = field(default_factory=dict)
    """The answers of the second version that it refuses."""
    version: str = "2"
    """The version that it refuses."""


CASES = {
    "contract": Case(GateSettings(), version="3"),
    "approval": Case(replace(OFF, approval=ApprovalSettings())),
    "golden": Case(
        replace(OFF, golden=GoldenSettings("{model}.jsonl")), {"second": b'{"predictions": [9.0]}'}
    ),
    "latency": Case(
        replace(OFF, latency=LatencySettings(RequestSettings("half.jsonl"), 6, {"p50": 40.0})),
        {"seconds": 1.0},
    ),
    "parity": Case(
        replace(OFF, parity=ParitySettings(RequestSettings("half.jsonl"))),
        {"second": b'{"predictions": [9.0]}'},
    ),
}
SLOW = {"golden", "latency", "parity"}
"""Those that ask the version; parity loads the model in each run."""


@pytest.fixture(
    params=[pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in CASES]
)
def case(request, faulty, monkeypatch):
    platform, case = faulty.platform, CASES[request.param]
    clock = (lambda: platform.now[0],)
    monkeypatch.setattr(LatencyGate.__init__, "__defaults__", clock)
    monkeypatch.setattr(type(platform), "server_of", lambda *_: "image:1", raising=False)
    faulty.run("deploy", 1)
    faulty.run("deploy", 2)
    faulty.run("deploy", 3)
    return case


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_refused_version_has_no_traffic_whichever_call_fails(faulty, case, after):
    for name, value in case.worse.items():
        setattr(faulty.platform, name, value)
    for number in faulty.each_call():
        is_broken, error = faulty.fail(number, after, "promote", case.version, gates=case.gates)
        assert faulty.live == ["v1"]
        assert code_of(error) in {Exit.REMOTE, Exit.CONFLICT, Exit.CHECK}
        first = faulty.recorded()
        if isinstance(error, GateRefusedError):
            assert list(first.values()) == [(Event.REFUSED, ("refused",))]
        if not is_broken:
            break
        with pytest.raises(GateRefusedError):
            faulty.run("promote", case.version, gates=case.gates)
        again = faulty.recorded()
        assert is_kept(first, again)
        assert list(again.values())[-1] == (Event.REFUSED, ("refused",))
    assert number > 10


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_version_that_passes_gets_its_traffic_after_its_verdict(faulty, case, after):
    faulty.run("approve", "2", who="bob")
    for number in faulty.each_call():
        is_broken, error = faulty.fail(number, after, "promote", "2", gates=case.gates)
        first = faulty.recorded()
        if faulty.live == ["v2"]:
            assert [rulings for _, rulings in first.values()] == [("passed",)]
        if error is None:
            assert faulty.live == ["v2"]
        else:
            assert code_of(error) in {Exit.REMOTE, Exit.CONFLICT}
        if not is_broken:
            break
        faulty.run("promote", "2", gates=case.gates)
        assert faulty.live == ["v2"]
        assert faulty.platform.name.startswith("v2-")
        assert is_kept(first, faulty.recorded())
    assert number > 10


def refuse(artifact):
    raise ModelError("the image has no op `Foo`")


@pytest.fixture
def live_beside(faulty):
    """Give the terminal with version 1 live, and the gate *load* on its own."""
    faulty.run("deploy", 1)
    return faulty


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_model_that_load_refuses_is_not_deployed_whichever_call_fails(
    live_beside, monkeypatch, after
):
    faulty = live_beside
    monkeypatch.setattr(faulty.platform, "check", refuse)
    deployed = dict(faulty.platform.deployed)
    for number in faulty.each_call():
        is_broken, error = faulty.fail(number, after, "deploy", 2, gates=OFF)
        assert (faulty.platform.deployed, faulty.live) == (deployed, ["v1"])
        assert code_of(error) in {Exit.REMOTE, Exit.CONFLICT, Exit.CHECK}
        first = faulty.recorded("deploy")
        if isinstance(error, GateRefusedError):
            assert list(first.values())[-1] == (Event.REFUSED, ("refused",))
        if not is_broken:
            break
        with pytest.raises(GateRefusedError, match="no op `Foo`"):
            faulty.run("deploy", 2, gates=OFF)
        again = faulty.recorded("deploy")
        assert is_kept(first, again)
        assert list(again.values())[-1] == (Event.REFUSED, ("refused",))
        assert not [key for key in faulty.platform.blobs.objects if "/v2-" in key]
    assert number > 10


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_model_that_load_passes_is_deployed_after_its_verdict_without_traffic(live_beside, after):
    faulty = live_beside
    for number in faulty.each_call():
        is_broken, error = faulty.fail(number, after, "deploy", 2, gates=OFF)
        assert faulty.live == ["v1"]
        first = faulty.recorded("deploy")
        if len(faulty.platform.deployed) == 2:
            assert [rulings for _, rulings in first.values()][-1] == ("passed",)
        if error is not None:
            assert code_of(error) in {Exit.REMOTE, Exit.CONFLICT}
        if not is_broken:
            break
        faulty.run("deploy", 2, gates=OFF)
        assert (len(faulty.platform.deployed), faulty.live) == (2, ["v1"])
        assert is_kept(first, faulty.recorded("deploy"))
    assert number > 15
