"""Releases by callers who lack permissions: the documented ones are enough, and a missing one is
named, exits as a refusal of the cloud, and leaves a release that the next run finishes."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import botocore.session
import pytest
from cloudserve.local_server.clouds.aws.permissions.access import Access
from cloudserve.local_server.clouds.aws.permissions.policy import EVERYTHING, Need, read_policy
from cloudserve.local_server.clouds.emulator import Emulator
from cloudserve.local_server.clouds.google.common.permissions import Denied
from cloudserve.local_server.clouds.permissions import Permissions

from cloudserve.cli.errors import run
from cloudserve.local.servers import EmulateCommand

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PROJECT = """\
models:
  {model}:
    path: {path}
targets:
  aws:
    provider: sagemaker
    region: eu-west-1
    bucket: s3://{bucket}
    role_arn: arn:aws:iam::123456789012:role/my-sagemaker-role
    archive: true
  gcp:
    provider: vertex
    project: rehearsal
    region: us-central1
    bucket: gs://{bucket}
"""
RELEASES = {
    "deploy": ("deploy", "{model}", "--version", "123"),
    "deploy beside": ("deploy", "{model}", "--version", "124"),
    "diff": ("diff", "{model}"),
    "approve": ("approve", "{model}"),
    "promote in part": ("promote", "{model}", "--percent", "30"),
    "promote": ("promote", "{model}"),
    "rollback": ("rollback", "{model}"),
    "batch": ("batch", "{model}", "--input", "instances.jsonl"),
    "pull": ("pull", "{model}", "--into", "pulled"),
    "undeploy": ("undeploy", "{model}", "--version", "124"),
    "gc": ("gc", "{model}", "--keep", "1"),
    "undeploy all": ("undeploy", "{model}", "--all"),
}
"""Commands in their order, each by a name."""
UNCHANGED = ("diff", "pull")
WITHOUT = {
    "s3:DeleteObject": "may stay until it expires",
    "storage.objects.delete": "may stay until it expires",
    # An upload that cannot look for an interrupted one starts again.
    "s3:ListBucketMultipartUploads": "",
    "storage.buckets.get": "",
    "application-autoscaling:DescribeScalableTargets": "scaling of the endpoint is not compared",
}
"""The permissions that a release succeeds without, and what it reports then."""


@dataclass
class Caller:
    """The emulator's caller: what it asked for, and what it may not do."""

    used: dict[str, None] = field(default_factory=dict)
    denied: str = ""
    allowed: Sequence = (EVERYTHING,)
    """The statements of the caller's policies."""

    def lacks(self, permission: str) -> bool:
        self.used[permission] = None
        return permission == self.denied


class Watching:
    """A statement that denies what the caller lacks."""

    allows = False

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def applies(self, need: Need) -> bool:
        return self._caller.lacks(need.action)


class Statements(Sequence):
    """The caller's statements, and the denial, as they are at each request."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __len__(self) -> int:
        return len(self._caller.allowed) + 1

    def __getitem__(self, index):
        return [*self._caller.allowed, Watching(self._caller)][index]


class WatchedDenied(Denied):
    """The Google permissions that the caller lacks."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    def covers(self, permission: str) -> bool:
        return self._caller.lacks(permission)


@pytest.fixture(scope="module")
def emulated():
    """Give a caller of an emulator, and the variables that point at it."""
    caller = Caller()
    permissions = Permissions(Access(Statements(caller)), WatchedDenied(caller))
    emulator = Emulator(EmulateCommand(), permissions=permissions)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loader = botocore.session.create_loader(None)
    try:
        asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(60)
        with pytest.MonkeyPatch.context() as patch:
            # One reading of botocore's models for all commands.
            patch.setattr(botocore.session, "create_loader", lambda *_: loader)
            yield caller, emulator.environment()
    finally:
        asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Shell:
    """A project's folder, in which commands run in this process."""

    caller: Caller
    model: str
    target: str
    capture: pytest.CaptureFixture
    log: pytest.LogCaptureFixture

    def run(self, name: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed."""
        words = [word.format(model=self.model) for word in RELEASES[name]]
        self.caller.used.clear()
        self.capture.readouterr()
        self.log.clear()
        code = run([*words, "--target", self.target])
        return code, "".join(self.capture.readouterr()) + self.log.text

    def up_to(self, name: str) -> None:
        """Run the commands before one of them."""
        for earlier in list(RELEASES)[: list(RELEASES).index(name)]:
            code, output = self.run(earlier)
            assert code == 0, (earlier, output)

    def outcomes(self) -> list[str]:
        self.capture.readouterr()
        assert run(["history", self.model, "--target", self.target, "-o", "json"]) == 0
        return [entry["outcome"] for entry in json.loads(self.capture.readouterr().out)]


@pytest.fixture
def new_shell(emulated, shared_models, tmp_path, monkeypatch, capsys, caplog):
    """Give what makes a project of its own for a target."""
    caller, environment = emulated
    caller.denied, caller.allowed = "", (EVERYTHING,)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = iter(range(1000))

    def make(target: str, bucket: str | None = None) -> Shell:
        folder = tmp_path / str(next(made))
        folder.mkdir()
        model = f"half{abs(hash(folder)) % 10**9}"
        path = shared_models / "tfs_half_plus_two_2v"
        text = PROJECT.format(model=model, path=path, bucket=bucket or f"bucket-{model}")
        (folder / "cloudserve.yaml").write_text(text)
        (folder / "instances.jsonl").write_text("[1.0]\n[2.0]\n")
        monkeypatch.chdir(folder)
        return Shell(caller, model, target, capsys, caplog)

    return make


def documented_policy():
    text = (HOW_TO / "use-a-company-account.md").read_text()
    return json.loads(re.search(r"```json\n(\{\n  \"Version\".*?)```", text, re.DOTALL)[1])


def documented_permissions() -> set[str]:
    text = (HOW_TO / "release-to-vertex.md").read_text().partition("## Permissions")[2]
    return set(re.findall(r"^([a-z]+\.\w+\.\w+)", text, re.MULTILINE))


def actions_of(policy) -> set[str]:
    texts = [statement["Action"] for statement in policy["Statement"]]
    return {each for text in texts for each in ([text] if isinstance(text, str) else text)}


# Scaling, alarms, canaries, packages and large uploads have their own tests.
OF_OTHERS = re.compile(
    r"application-autoscaling:|cloudwatch:|ecr:|iam:CreateServiceLinkedRole|logs:|sts:"
    r"|sagemaker:\w*ModelPackage|sagemaker:(DeleteTags|InvokeEndpoint)"
    r"|s3:\w*Multipart|storage\.multipartUploads|monitoring\.|logging\.|aiplatform\.endpoints\.predict"
    r"|aiplatform\.models\.get"
)


@pytest.mark.slow
def test_the_documented_policy_is_enough_for_a_release_to_sagemaker_and_no_more(new_shell):
    shell, policy = new_shell("aws", "my-models"), documented_policy()
    shell.caller.allowed = read_policy(policy)
    used: set[str] = set()
    for name in RELEASES:
        code, output = shell.run(name)
        assert code == 0, (name, output)
        used |= shell.caller.used.keys()
    left = actions_of(policy) - used
    assert {name for name in left if not OF_OTHERS.match(name)} == set()


@pytest.mark.slow
def test_the_documented_permissions_are_those_of_a_release_to_vertex(new_shell):
    shell, used = new_shell("gcp"), set()
    for name in RELEASES:
        code, output = shell.run(name)
        assert code == 0, (name, output)
        used |= shell.caller.used.keys()
    documented = documented_permissions()
    assert used - documented == set()
    assert {name for name in documented - used if not OF_OTHERS.match(name)} == set()


CASES = [(target, name) for target in ("aws", "gcp") for name in RELEASES]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name"), CASES)
def test_each_missing_permission_is_named_and_the_next_run_finishes(new_shell, target, name):
    recorded = new_shell(target)
    recorded.up_to(name)
    assert recorded.run(name)[0] == 0
    permissions = list(recorded.caller.used)
    shell = new_shell(target)
    shell.up_to(name)
    before = shell.outcomes() if name != "deploy" else []
    for permission in permissions:
        shell.caller.denied = permission
        code, output = shell.run(name)
        shell.caller.denied = ""
        if code == 0:
            assert permission in WITHOUT
            assert WITHOUT[permission] in output
            if name not in UNCHANGED:
                shell = new_shell(target)
                shell.up_to(name)
                before = shell.outcomes() if name != "deploy" else []
            continue
        assert code == 4, (permission, output)
        assert permission in output or WITHOUT.get(permission) == "", output
        assert "Traceback" not in output
    code, output = shell.run(name)
    assert code == 0, output
    later = shell.outcomes()[len(before) :]
    assert set(later[:-1]) <= {"stopped", "failed"}, later
