"""Commands that are killed at every request that changes something, on each platform, run again.

A request that only reads leaves nothing behind: a kill there is one after the change before it. So
each verb is killed after its first change, after its second, and so on until it comes to its end.
"""

from __future__ import annotations

import http.client
import itertools
import shutil

import pytest

from cloudserve.project import Model, Project, Target
from cloudserve.release.service import Releases
from cloudserve.release.state import lock as locks

TARGETS = {
    "sagemaker": {
        "bucket": "s3://{bucket}",
        "role_arn": "arn:aws:iam::000000000000:role/serving",
        "region": "us-east-1",
    },
    "serverless": {
        "bucket": "s3://{bucket}",
        "role_arn": "arn:aws:iam::000000000000:role/serving",
        "region": "us-east-1",
        "serverless_memory_mb": 2048,
    },
    "vertex": {"bucket": "gs://{bucket}", "project": "kills", "region": "europe-west4"},
    "ai-platform": {"bucket": "gs://{bucket}", "project": "kills"},
}
READS = ("Describe", "List", "Get")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


class Killed(BaseException):
    """What nothing in the code under test catches, as nothing catches a SIGKILL."""


class Process:
    """The requests of one process, which is killed after its n-th change, if it comes to that."""

    def __init__(self, patch: pytest.MonkeyPatch, kill_after: int = 0) -> None:
        self.changes, self.is_dead, self.last = 0, False, ""
        self._kill_after = kill_after
        kind = http.client.HTTPConnection
        request, header, response = kind.putrequest, kind.putheader, kind.getresponse

        def putrequest(connection, method, url, *arguments, **options):
            if self.is_dead:
                raise Killed
            connection.changing = method not in {"GET", "HEAD"} and f"{method} {url}"
            return request(connection, method, url, *arguments, **options)

        def putheader(connection, name, *values):
            if str(name).lower() == "x-amz-target":
                target = values[0] if isinstance(values[0], str) else values[0].decode()
                action = target.partition(".")[2]
                connection.changing = not action.startswith(READS) and action
            return header(connection, name, *values)

        def getresponse(connection):
            result = response(connection)
            if connection.changing and not self.is_dead:
                self.changes += 1
                self.last = connection.changing
                if self.changes == self._kill_after:
                    self.is_dead = True
                    raise Killed
            return result

        patch.setattr(kind, "putrequest", putrequest)
        patch.setattr(kind, "putheader", putheader)
        patch.setattr(kind, "getresponse", getresponse)


class Terminal:
    """Runs commands on one target, each in a process of its own."""

    def __init__(self, project, environ, monkeypatch):
        self._project = project
        self._environ = environ
        self._monkeypatch = monkeypatch
        self._runs = itertools.count(1)

    def run(self, verb, *arguments, kill_after=0, **options):
        birth = f"started at {next(self._runs)}"
        self._monkeypatch.setattr(locks, "birth", lambda pid: birth)
        environ = {**self._environ, "CLOUDSERVE_ACTOR": "ada"}
        releases = Releases(self._project, "half", "here", environ=environ)
        with self._monkeypatch.context() as patch:
            self.process = Process(patch, kill_after)
            return getattr(releases, verb)(*arguments, **options)

    def killed(self, number, verb, *arguments, **options):
        """Return whether a verb was killed after its n-th change, before its lock was free."""
        try:
            self.run(verb, *arguments, kill_after=number, **options)
        except Killed:
            return not ("DELETE" in self.process.last and "lock" in self.process.last)
        return None

    @property
    def live(self):
        traffic = self.run("status").traffic
        return sorted(name.partition("-")[0] for name, share in traffic.items() if share)

    def objects(self, part):
        blobs = Releases(self._project, "half", "here", environ=self._environ).provider.blobs
        return [blob.key for blob in blobs.list("cloudserve/") if part in blob.key]

    def assert_all_is_ended(self):
        assert [r for r in self.run("history", 3) if not r.has_end] == []
        blobs = Releases(self._project, "half", "here", environ=self._environ).provider.blobs
        assert not [blob for blob in blobs.list("cloudserve/") if "/lock" in blob.key]


@pytest.fixture(params=TARGETS)
def terminal(request, clouds, bucket, tmp_path, half_plus_two, monkeypatch):
    for number in (1, 2, 3):
        shutil.copytree(half_plus_two, tmp_path / "half" / str(number))
    fields = dict(TARGETS[request.param])
    provider = "sagemaker" if request.param == "serverless" else request.param
    fields["bucket"] = fields["bucket"].format(bucket=bucket)
    target = Target("here", provider, fields)
    models = {"half": Model("half", tmp_path / "half")}
    project = Project(tmp_path / "cloudserve.yaml", models, {"here": target})
    result = Terminal(project, clouds, monkeypatch)
    yield result
    result.run("undeploy", everything=True)


def again_and_again(terminal, steps, live):
    """Kill each of some verbs after its n-th change and run it again, for each n."""
    for number in itertools.count(1):
        ended = []
        for (verb, *arguments), options in steps:
            killed = terminal.killed(number, verb, *arguments, **options)
            if killed or verb != "rollback":
                terminal.run(verb, *arguments, **options)
            assert terminal.live == live[verb]
            terminal.assert_all_is_ended()
            ended.append(killed is None)
        if all(ended):
            return number
    raise AssertionError("no verb comes to its end")


def test_a_first_deployment_and_the_end_of_a_model(terminal):
    steps = ((("deploy", 1), {}), (("undeploy",), {"everything": True}))
    assert again_and_again(terminal, steps, {"deploy": ["v1"], "undeploy": []}) > 8


def test_a_promotion_and_a_rollback(terminal):
    terminal.run("deploy", 1)
    terminal.run("deploy", 2)
    steps = ((("promote", "2"), {}), (("rollback",), {}))
    assert again_and_again(terminal, steps, {"promote": ["v2"], "rollback": ["v1"]}) > 5


def test_a_second_deployment_and_its_end(terminal):
    terminal.run("deploy", 1)
    steps = ((("deploy", 2), {}), (("undeploy", "2"), {}))
    assert again_and_again(terminal, steps, {"deploy": ["v1"], "undeploy": ["v1"]}) > 5


def test_a_collection(terminal):
    """Version 1 is removed, each time: 3 is live, and a rollback goes back to 2."""
    for number in (2, 3):
        terminal.run("deploy", number)
        terminal.run("promote", str(number))
    for number in itertools.count(1):
        terminal.run("deploy", 1)
        terminal.run("undeploy", "2")
        terminal.run("deploy", 2)
        killed = terminal.killed(number, "gc", 1)
        left = terminal.run("gc", 1).deployment.revisions
        assert sorted(d.revision.number for d in left) == [2, 3]
        assert not terminal.objects("revisions/v1-")
        assert not terminal.objects("removals/")
        assert terminal.live == ["v3"]
        terminal.assert_all_is_ended()
        if killed is None:
            break
    assert number > 8


def test_an_applied_plan(terminal):
    terminal.run("deploy", 1)
    terminal.run("deploy", 2)
    for number, version in zip(itertools.count(1), itertools.cycle("21")):
        plan = terminal.run("plan_promote", version)
        killed = terminal.killed(number, "apply", plan)
        terminal.run("apply", plan)
        assert terminal.live == [f"v{version}"]
        terminal.assert_all_is_ended()
        if killed is None:
            break
    assert number > 5
