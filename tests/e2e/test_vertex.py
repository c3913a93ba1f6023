"""Vertex AI with the real command line against the real emulator: released, canaried, cut short."""

import json
import re
import signal

import pytest
import requests

# A container of one's own: Google's prebuilt TensorFlow images end on 14 January 2027.
TARGET = """\
  vertex:
    provider: vertex
    project: rehearsal
    bucket: gs://{bucket}
    image: us-docker.pkg.dev/rehearsal/serving/tensorflow-serving:2.19
    labels: {{team: vision}}
"""


@pytest.fixture
def terminal(terminal):
    with (terminal.folder / "cloudserve.yaml").open("a") as file:
        file.write(TARGET.format(bucket=f"{terminal.model}-models"))
    return terminal


@pytest.fixture
def run(terminal):
    """Give what runs a command on the target and expects it to go well."""

    def run(command, *arguments, stdin=""):
        return terminal.ok(command, terminal.model, "-t", "vertex", *arguments, stdin=stdin)

    return run


@pytest.fixture
def ask(terminal):
    """Give what asks the endpoint as any client does, and returns the predictions."""
    vertex = terminal.environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    parent = f"{vertex}v1/projects/rehearsal/locations/us-central1"

    def ask(endpoint=terminal.model):
        url = f"{parent}/endpoints/{endpoint}:predict"
        answer = requests.post(url, json={"instances": [1.0, 5.0]}, timeout=60)
        return answer.json()["predictions"]

    return ask


def shares(run):
    result = json.loads(run("status", "-o", "json"))["revisions"]
    return {revision["number"]: round(revision["traffic"], 2) for revision in result}


def test_a_release_from_first_deploy_through_a_canary_to_rollback(terminal, run, ask):
    assert "deployed, live" in run("deploy", "--version", "1")
    assert "v1-" in run("deploy", "--allow-breaking")
    assert "has 10 % of the traffic" in run("promote", "--percent", "10", "--allow-breaking")
    assert shares(run) == {1: 0.9, 2: 0.1}
    requested = ("predict", terminal.model, "-t", "vertex", "--version", "2")
    code, out, err = terminal.run(*requested, stdin='{"instances": [1.0]}')
    assert (code, out) == (2, "")
    assert "Vertex AI cannot ask v2-" in err
    assert re.search(r"--target vertex --version v2-\w+ --percent 1, or all of it", err)
    assert "has all traffic again" in run("rollback")
    assert ask() == [2.5, 4.5]
    run("promote", "--allow-breaking")
    body = '{"instances": [1.0, 5.0]}'
    assert json.loads(run("predict", "--version", "2", stdin=body))["predictions"] == [3.5, 5.5]
    run("rollback")
    assert ask() == [2.5, 4.5]
    assert "promote 10 %" in run("history")


def test_a_model_that_does_not_load_says_why_and_where_its_log_is(
    terminal, run, ask, shared_models
):
    run("deploy", "--version", "1")
    gone = next((shared_models / "tfx_pusher").iterdir())
    (terminal.folder / "model" / "3").symlink_to(gone)
    overriding = ("--allow-breaking", "--override", "load", "--reason", "to see it fail")
    code, _, err = terminal.run("deploy", terminal.model, "-t", "vertex", *overriding)
    assert code == 4
    assert "BoostedTreesBucketize" in err
    assert "https://console.cloud.google.com/logs/query" in err
    assert "stays in the registry" in err
    assert "not done: deploy v3-" in err
    assert ask() == [2.5, 4.5]
    _, row, reason = run("status").partition("  failed  ")
    assert row
    assert "\n  deploy v3-" in reason


def cut(terminal, clouds, line_start, number):
    """Start a deploy, hold the clouds when it comes to a step, and signal the deploy."""
    process = terminal.start("deploy", terminal.model, "-t", "vertex", "--version", "1")
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


# Every step is cut off in the adapter's own tests; here processes die, early and late.
@pytest.mark.parametrize("step", ["create the endpoint", "deploy v1-"])
def test_a_killed_deploy_continues_when_run_again(terminal, clouds, run, ask, step):
    code, _ = cut(terminal, clouds, step, signal.SIGKILL)
    assert code == -signal.SIGKILL
    run("deploy", "--version", "1")
    assert "nothing to do" in run("deploy", "--version", "1")
    assert ask() == [2.5, 4.5]


@pytest.fixture
def held_deployment(clouds):
    """Keep requests to deploy waiting, far longer than it takes to interrupt their client."""
    url = f"{clouds.environment['AWS_ENDPOINT_URL']}/_cloudserve/faults"
    held = {"route": "POST */endpoints/*:deployModel", "latency": 600}
    requests.post(url, json={"faults": [held]}, timeout=60).raise_for_status()
    yield
    requests.delete(url, timeout=60).raise_for_status()


@pytest.mark.usefixtures("held_deployment")
def test_an_interrupted_deploy_says_what_exists(terminal, clouds):
    code, err = cut(terminal, clouds, "deploy v1-", signal.SIGINT)
    assert code == 130
    assert "done: create the endpoint" in err
    assert "not done: deploy v1-" in err


def test_an_ai_platform_target_is_migrated_and_released_to_without_an_upload(terminal, ask):
    terminal.ok("deploy", terminal.model, "-t", "gcp", "--version", "1")
    before = (terminal.folder / "cloudserve.yaml").read_text()
    shown = terminal.ok("migrate", "gcp", "--to", "moved")
    assert "gcp -> moved, provider vertex" in shown
    assert (terminal.folder / "cloudserve.yaml").read_text().startswith(before)
    code, out, err = terminal.run("deploy", terminal.model, "-t", "moved", "--version", "1")
    assert code == 0, err
    assert "deployed, live" in out
    assert "upload model/1" not in err
    # The project has two targets of Vertex AI in this place now, so each names its own endpoint.
    assert ask(f"{terminal.model}-moved") == [2.5, 4.5]


def test_a_batch_of_instances_is_predicted_in_a_job(terminal, run):
    run("deploy", "--version", "1")
    (terminal.folder / "in.jsonl").write_text("1.0\n5.0\n")
    result = json.loads(run("batch", "--input", "in.jsonl", "-o", "json"))
    assert (result["succeeded"], result["failed"]) == (2, 0)
    assert result["revision"].startswith("v1-")
    assert result["output"].startswith(f"gs://{terminal.model}-models/cloudserve/")
    code, _, err = terminal.run("batch", terminal.model, "-t", "gcp", "--input", "in.jsonl")
    assert code == 2
    assert "a target of `ai-platform` has no batch predictions" in err


def test_a_canary_is_judged_by_answers_that_name_their_deployed_model(terminal, run):
    (terminal.folder / "requests.jsonl").write_text('{"instances": [1.0, 5.0]}\n')
    run("deploy", "--version", "1")
    run("deploy", "--allow-breaking")
    options = ("--canary", "--requests", "requests.jsonl", "--steps", "50", "--rate", "10000")
    outcome = json.loads(run("promote", *options, "--allow-breaking", "-o", "json"))
    errors, _ = outcome["canary"]["steps"][0]["measures"]
    assert errors["canary"]["requests"] > 200
    assert errors["canary"]["requests"] != errors["live"]["requests"]  # the split is random
    assert shares(run) == {1: 0.0, 2: 1.0}
