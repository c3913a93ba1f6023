"""Releases with the real command line against the real emulator: right, wrong, and cut short."""

import json
import signal
import socket
from datetime import UTC, datetime, timedelta

import pytest
import requests

from cloudserve import registry, status
from cloudserve.project import load_project
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.lock import lock

EVERY = ("gcp", "aws")
# What differs between the targets is tested by their contracts; `make test-slow` runs the others.
TARGETS = (pytest.param("gcp", marks=pytest.mark.slow), "aws")


def ask(terminal, target, *arguments):
    out = terminal.ok(
        "predict", terminal.model, "-t", target, *arguments, stdin='{"instances": [1.0, 5.0]}'
    )
    return json.loads(out)["predictions"]


@pytest.mark.parametrize("target", EVERY)
def test_a_release_from_first_deploy_to_rollback(terminal, target):
    assert "deployed, live" in terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    assert ask(terminal, target) == [2.5, 4.5]
    assert "v1-" in terminal.ok("deploy", terminal.model, "-t", target, "--allow-breaking")
    assert ask(terminal, target) == [2.5, 4.5]
    assert ask(terminal, target, "--version", "2") == [3.5, 5.5]
    terminal.ok("promote", terminal.model, "-t", target, "--allow-breaking")
    assert ask(terminal, target) == [3.5, 5.5]
    terminal.ok("rollback", terminal.model, "-t", target)
    assert ask(terminal, target) == [2.5, 4.5]
    assert "nothing to do" in terminal.ok("deploy", terminal.model, "-t", target)


@pytest.mark.parametrize("target", TARGETS)
def test_an_unknown_version_is_a_usage_error_that_names_the_known(terminal, target):
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    code, out, err = terminal.run("promote", terminal.model, "-t", target, "--version", "7")
    assert (code, out) == (2, "")
    assert f"version `7` of {terminal.model} is not deployed" in err
    assert "name one of these: v1-" in err
    code, _, err = terminal.run("deploy", terminal.model, "-t", target, "--version", "7")
    assert code == 2
    assert "there is no version 7" in err


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_that_does_not_load_fails_with_its_reason_and_takes_no_traffic(
    terminal, target, shared_models
):
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    gone = next((shared_models / "tfx_pusher").iterdir())
    (terminal.folder / "model" / "3").symlink_to(gone)
    deploy = ("deploy", terminal.model, "-t", target, "--allow-breaking")
    code, _, err = terminal.run(*deploy)
    assert code == 6
    assert "gate load: refused" in err
    assert "has no kernel for the op `BoostedTreesBucketize`" in err
    assert "Nothing was changed" in err
    code, _, err = terminal.run(*deploy, "--override", "load", "--reason", "to see it fail")
    assert code == 4
    assert "No OpKernel was registered to support Op 'BoostedTreesBucketize'" in err
    assert "done: upload" in err
    assert ask(terminal, target) == [2.5, 4.5]
    history = json.loads(terminal.ok("history", terminal.model, "-t", target, "-o", "json"))
    assert [entry["outcome"] for entry in history[-2:]] == ["refused", "stopped"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_is_down_is_a_remote_error_that_names_the_endpoint(terminal, target):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name, value in terminal.environment.items():
        if value.startswith("http://127.0.0.1"):
            terminal.environment[name] = url + value[len("http://127.0.0.1:") :].lstrip(
                "0123456789"
            )
    code, out, err = terminal.run("status", terminal.model, "-t", target)
    assert (code, out) == (4, "")
    assert url in err
    assert "Traceback" not in err


def test_a_port_in_use_is_reported_in_one_sentence(terminal):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for command in (["emulate"], ["serve", "model"]):
            code, out, err = terminal.run(*command, "--port", str(port))
            assert (code, out) == (2, "")
            assert f"error: port {port} on 127.0.0.1 is in use" in err


def stop_at(terminal, clouds, target, line_start, number):
    """Start a deploy, hold the clouds when it comes to a step, and signal the deploy."""
    process = terminal.start("deploy", terminal.model, "-t", target, "--version", "1")
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(line_start):
            break
    clouds.pause()
    try:
        process.send_signal(number)
    finally:
        clouds.go_on()
    _, rest = process.communicate()
    return process.returncode, "".join([*lines, rest])


@pytest.mark.parametrize("target", TARGETS)
def test_an_interrupted_deploy_says_what_exists_and_continues_when_run_again(
    terminal, clouds, target
):
    code, err = stop_at(terminal, clouds, target, "upload ", signal.SIGINT)
    assert code == 130
    assert "interrupted\n  done: make the bucket" in err
    assert "Run the same command again to continue." in err
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    assert ask(terminal, target) == [2.5, 4.5]
    history = json.loads(terminal.ok("history", terminal.model, "-t", target, "-o", "json"))
    assert [release["outcome"] for release in history] == ["stopped", "finished"]


@pytest.fixture
def slow_models(clouds):
    """Let the next model take its time, so that a deploy can be met while it makes one."""
    url = f"{clouds.environment['AWS_ENDPOINT_URL']}/_cloudserve/faults"
    rules = [
        {"route": route, "latency": 5, "times": 1}
        for route in ("POST /v1/projects/*/models", "SageMaker.CreateModel")
    ]
    requests.post(url, json={"faults": rules}, timeout=60).raise_for_status()
    yield
    requests.delete(url, timeout=60).raise_for_status()


@pytest.mark.usefixtures("slow_models")
@pytest.mark.parametrize("target", TARGETS)
def test_a_killed_deploy_continues_when_run_again(terminal, clouds, target):
    code, _ = stop_at(terminal, clouds, target, "create ", signal.SIGKILL)
    assert code == -signal.SIGKILL
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
    assert ask(terminal, target) == [2.5, 4.5]
    history = json.loads(terminal.ok("history", terminal.model, "-t", target, "-o", "json"))
    assert [release["outcome"] for release in history] == ["superseded", "finished"]
    assert history[0]["superseded_by"] == f"deploy {history[1]['revision']}"


@pytest.fixture
def slow_third_write(terminal, clouds):
    """Hold the third write of a command to the bucket: its lock and its begin go before."""
    url = f"{clouds.environment['AWS_ENDPOINT_URL']}/_cloudserve/faults"

    def hold():
        rule = {"route": f"PUT /{terminal.model}-models/*", "latency": 20, "skip": 2, "times": 1}
        requests.post(url, json={"faults": [rule]}, timeout=60).raise_for_status()

    yield hold
    requests.delete(url, timeout=60).raise_for_status()


@pytest.mark.slow
def test_a_rollback_that_is_killed_after_the_traffic_moved_goes_back_once(
    terminal, slow_third_write
):
    for number in ("3", "4"):
        link = terminal.folder / "model" / number
        link.symlink_to((terminal.folder / "model" / "1").resolve())
    for number in ("1", "3", "4"):
        terminal.ok("deploy", terminal.model, "-t", "aws", "--version", number)
        terminal.ok("promote", terminal.model, "-t", "aws", "--version", number)
    project = load_project(terminal.folder / "cloudserve.yaml", environ={})
    slow_third_write()
    with terminal.start("rollback", terminal.model, "-t", "aws") as process:
        second = status(project, terminal.model, "aws", environ=terminal.environment).live
        while second.startswith("v4-"):
            second = status(project, terminal.model, "aws", environ=terminal.environment).live
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert second.startswith("v3-")

    code, out, err = terminal.run("rollback", terminal.model, "-t", "aws")
    assert (code, f"{second} on aws: already has all traffic, nothing to do" in out) == (0, True)
    assert f"recorded as finished: the rollback of {second} that ada began at " in err
    last = json.loads(terminal.ok("history", terminal.model, "-t", "aws", "-o", "json"))[-1]
    assert (last["operation"], last["outcome"], last["ended_by"]) == ("rollback", "finished", "ada")
    terminal.ok("rollback", terminal.model, "-t", "aws")
    now = status(project, terminal.model, "aws", environ=terminal.environment)
    assert now.live.startswith("v1-")


@pytest.mark.usefixtures("slow_models")
@pytest.mark.parametrize("target", TARGETS)
def test_a_suspended_deploy_whose_lock_was_taken_over_stops_before_its_next_step(terminal, target):
    project = load_project(terminal.folder / "cloudserve.yaml", environ={})
    provider = registry.provider(project.target(target), terminal.environment)
    blobs, endpoint = provider.blobs, provider.lock_name(terminal.model)
    layout = Layout(blobs.url, terminal.model, target, endpoint=endpoint)
    process = terminal.start("deploy", terminal.model, "-t", target, "--version", "1")
    for line in process.stderr:
        if line.startswith("create the model "):
            break
    process.send_signal(signal.SIGSTOP)
    later = datetime.now(UTC) + timedelta(hours=1)
    with lock(blobs, layout.lock, release="r", who="bob", clock=lambda: later):
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate()
    assert process.returncode == 5
    assert "error: this release has lost its lock: another release has taken" in err
    assert "bob, process" in err
    assert "  done: create the model " in err
    assert "  not done: create " in err
    terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")


@pytest.mark.parametrize("target", TARGETS)
def test_a_plan_is_applied_elsewhere_or_refused_when_the_cloud_moved(terminal, target):
    terminal.ok("plan", "deploy", terminal.model, "-t", target, "--version", "1", "--out", "one")
    terminal.ok("plan", "deploy", terminal.model, "-t", target, "--version", "2", "--out", "two")
    assert "deployed, live" in terminal.ok("apply", "one")
    assert "nothing to do" in terminal.ok("apply", "one")
    code, _, err = terminal.run("apply", "two")
    assert code == 5
    assert "error: the plan does not fit any more: nothing was live, v1-" in err
    assert ask(terminal, target) == [2.5, 4.5]


def test_the_clouds_keep_their_state_when_they_are_killed(terminal, running_clouds, tmp_path):
    data = tmp_path / "data"
    with running_clouds("--data", str(data)) as first:
        terminal.environment.update(first.environment)
        for target in EVERY:
            terminal.ok("deploy", terminal.model, "-t", target, "--version", "1")
        first.kill()
    with running_clouds("--data", str(data)) as second:
        terminal.environment.update(second.environment)
        for target in EVERY:
            assert "nothing to do" in terminal.ok(
                "deploy", terminal.model, "-t", target, "--version", "1"
            )
            assert ask(terminal, target) == [2.5, 4.5]
            assert "deploy" in terminal.ok("history", terminal.model, "-t", target)
