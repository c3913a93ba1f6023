"""Plans and drifts from the last known state: as online, and without any network."""

from __future__ import annotations

import json
import re
import shutil
import socket
import stat
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from googleapiclient import discovery
from msgspec import structs

from cloudserve.cli.errors import run
from cloudserve.cli.render.release.difference import drift_report
from cloudserve.cli.render.release.plan import plan_report
from cloudserve.errors import ConflictError, UserError
from cloudserve.known.states import KnownStates
from cloudserve.known.tape import Recorder
from cloudserve.project import Model, Project
from cloudserve.release import last_known
from cloudserve.release.last_known import recall, remember
from cloudserve.release.service import Releases
from cloudserve.release.transfer.local import LocalModel
from tests.adapters.test_collections import TARGETS, make, versions

__all__ = ["make", "versions"]  # fixtures

SLOW = pytest.mark.slow
SCALED = {"min": 1, "max": 3, "invocations_per_instance": 600}
VARIANTS = {
    "guarded": ("sagemaker", {"update": "canary", "update_wait_seconds": 0}),
    "shadowed": ("sagemaker", {"shadow_percent": 25}),
    "scaled": ("sagemaker", {"autoscaling": SCALED}),
    "grouped": ("sagemaker", {"package_group": "known"}),
    "archived": ("sagemaker", {"archive": True}),
    "scaled vertex": ("vertex", {"min_replicas": 1, "max_replicas": 2}),
    "approved vertex": ("vertex", {"approval_alias": "approved"}),
}
KINDS = {**{kind: (kind, {}) for kind in TARGETS}, **VARIANTS}
FAST = ("sagemaker",)  # the command line is tested with AI Platform
ENV = {"SECRET": "swordfish-0451"}


@pytest.fixture
def home(clouds, tmp_path):
    """Give an environment with the offline clouds and a state folder of its own."""
    return {**clouds, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def unplugged(monkeypatch):
    """Give what makes every connection, every look-up of a name and every AWS client an error."""

    def refuse(*args, **options):
        raise AssertionError(f"this reaches the network: {args[1:]}")

    def unplug():
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "connect_ex", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(boto3.Session, "client", refuse)
        build = discovery.build

        def without_credentials(*args, **options):
            assert "credentials" not in options
            return build(*args, **options)

        monkeypatch.setattr(discovery, "build", without_credentials)

    return unplug


def questions(releases):
    """Return what is asked, by its command line."""
    names = [d.revision.id for d in releases.status().revisions]
    every = {
        "plan deploy": releases.plan_deploy,
        "plan deploy --version 1": lambda: releases.plan_deploy(1),
        "plan rollback": releases.plan_rollback,
        "plan undeploy": releases.plan_undeploy,
        "plan undeploy --all": lambda: releases.plan_undeploy(everything=True),
    }
    for name in names:
        every[f"plan promote {name}"] = lambda name=name: releases.plan_promote(name)
        every[f"plan promote 7 % {name}"] = lambda name=name: releases.plan_promote(name, percent=7)
        every[f"plan rollback {name}"] = lambda name=name: releases.plan_rollback(name)
        every[f"plan undeploy {name}"] = lambda name=name: releases.plan_undeploy(name)
    return every


def answer(question):
    """Return what the command line prints of a plan or of its refusal, without its time."""
    try:
        plan = question()
    except (UserError, ConflictError) as error:
        return error.message, error.where, error.hint
    return plan_report(replace(plan, as_of=None))


def answers(releases):
    found = {name: answer(question) for name, question in questions(releases).items()}
    return {**found, "diff": drift_report([replace(releases.drift(), as_of=None)])}


def project_of(releases, base):
    target = releases._target
    return Project(base.parent / "cloudserve.yaml", {"half": Model("half", base)}, {"here": target})


def check_file(folder):
    """Check that a state has no secret, and that nobody else may read it."""
    (path,) = folder.rglob("*.state")
    assert ENV["SECRET"].encode() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o077


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else SLOW) for name in KINDS]
)
def test_the_offline_answers_are_those_of_the_same_state_online(
    make, versions, tmp_path, home, unplugged, name
):
    kind, more = KINDS[name]
    has_environment = kind in {"sagemaker", "serverless", "vertex"}
    releases, _ = make(kind, 1, **more, **({"env": ENV} if has_environment else {}))
    releases.deploy(2)
    base = tmp_path / "half"
    for number in ("1", "2"):
        shutil.copytree(versions / number, base / number)
    project = project_of(releases, base)
    assert remember(project, "half", "here", environ=home)
    # The model is trained again, after the last contact with the services.
    shutil.copytree(versions / "3", base / "3")
    online = answers(Releases(project, "half", "here", environ=home, tape=Recorder()))
    unplugged()
    assert answers(recall(project, "half", "here", environ=home)) == online
    assert online["plan deploy"].document["steps"]
    check_file(tmp_path)
    if has_environment:
        target = project.targets["here"]
        fields = {**target.fields, "env": {"SECRET": "another"}}
        changed = replace(project, targets={"here": replace(target, fields=fields)})
        drifts = recall(changed, "half", "here", environ=home).drift().drifts
        assert {drift.what.partition(" of ")[0] for drift in drifts} == {
            "environment variable SECRET"
        }


def test_nothing_is_changed_offline_and_what_was_not_read_is_refused(
    make, versions, home, unplugged
):
    releases, _ = make("sagemaker", 1)
    project = project_of(releases, versions)
    with pytest.raises(UserError, match="there is no last known state of half on here in the off"):
        recall(project, "half", "here", environ=home)
    remember(project, "half", "here", environ=home, provider=releases.provider)
    homeless = {name: value for name, value in home.items() if name != "XDG_STATE_HOME"}
    assert not remember(project, "half", "here", environ=homeless, provider=releases.provider)
    releases.deploy(2)
    assert len(releases.status().revisions) == 2  # the provider keeps nothing afterwards
    unplugged()
    offline = recall(project, "half", "here", environ=home)
    plan = offline.plan_deploy()
    assert abs((datetime.now(UTC) - plan.as_of).total_seconds()) < 600
    for change in (
        offline.deploy,
        offline.promote,
        offline.rollback,
        offline.undeploy,
        offline.approve,
        lambda: offline.gc(1),
    ):
        with pytest.raises(UserError, match="nothing is changed with --offline"):
            change()
    for verbs in (offline, releases):
        with pytest.raises(ConflictError, match="it cannot be applied"):
            verbs.apply(plan)
    fields = {**project.targets["here"].fields, "package_group": "models"}
    asked = replace(project, targets={"here": replace(project.targets["here"], fields=fields)})
    with pytest.raises(UserError, match="it was not read then") as caught:
        recall(asked, "half", "here", environ=home).plan_deploy()
    assert "describe_model_package_group" in caught.value.where
    real = {name: value for name, value in home.items() if "AWS_ENDPOINT" not in name}
    with pytest.raises(UserError, match="no last known state of half on here in a real account"):
        recall(project, "half", "here", environ=real)


def test_a_large_model_is_not_hashed_to_keep_a_state(make, versions, home, monkeypatch):
    releases, _ = make("sagemaker", 1)
    project = project_of(releases, versions)
    with monkeypatch.context() as large:
        large.setattr(last_known, "MOST_HASHED", 0)
        large.setattr(LocalModel, "tree", lambda self, source: pytest.fail(f"hashed {source}"))
        assert remember(project, "half", "here", environ=home, provider=releases.provider)
    assert recall(project, "half", "here", environ=home).plan_deploy().actions


@pytest.mark.slow
def test_a_state_is_used_with_the_credentials_that_it_was_kept_with(make, versions, home):
    releases, _ = make("sagemaker", 1)
    project = project_of(releases, versions)
    remember(project, "half", "here", environ=home, provider=releases.provider)
    states = KnownStates.of_project(project.path, home)
    (state,) = states.load("half", "here", "")
    place = {**state.place, "is_offline": "", "account": "account 1", "credentials": "profile prod"}
    states.save(structs.replace(state, place=place))
    real = {"XDG_STATE_HOME": home["XDG_STATE_HOME"]}
    assert recall(project, "half", "here", environ={**real, "AWS_PROFILE": "prod"}).status().live
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    session = {**keys, "AWS_SESSION_TOKEN": "token"}
    dev = {"AWS_PROFILE": "dev"}
    for other, name in ((dev, "profile dev"), (keys, "key …MPLE"), (session, "")):
        with pytest.raises(UserError) as caught:
            recall(project, "half", "here", environ={**real, **other})
        wanted = "there is no last known state of half on here in a real account"
        assert caught.value.message == wanted + (f" ({name})" if name else "")


PROJECT = """\
models:
  half:
    path: {path}
targets:
  here:
    provider: ai-platform
    project: known
    bucket: gs://known-models
"""


def test_the_command_line_keeps_a_state_and_says_from_when_it_is(
    clouds, versions, tmp_path, monkeypatch, capsys, unplugged
):
    def line(*arguments, code=0):
        assert run([*arguments]) == code
        return capsys.readouterr().out

    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=versions))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name, value in clouds.items():
        monkeypatch.setenv(name, value)
    line("deploy", "half", "--version", "1")
    online = line("plan", "deploy", "half")
    assert line("diff", "-t", "here") == "half on here: no differences\n"
    unplugged()
    first, _, rest = line("plan", "deploy", "half", "--offline").partition("\n")
    assert rest == online
    assert re.fullmatch(
        r"state of \d{4}-\d\d-\d\d \d\d:\d\d UTC, (less than a minute|1 minute) ago", first
    )
    assert line("diff", "-t", "here", "--offline").endswith("\nhalf on here: no differences\n")
    document = json.loads(line("plan", "deploy", "half", "--offline", "-o", "json"))
    assert datetime.fromisoformat(document["asOf"]).tzinfo is not None
    line("plan", "deploy", "half", "--offline", "--exit-code", code=10)
    line("plan", "deploy", "half", "--offline", "--out", "plan.json", code=2)
    assert not (tmp_path / "plan.json").exists()
