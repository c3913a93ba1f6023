"""`cloudserve promote --canary` on the offline SageMaker: a good version, and one with errors."""

import json
import os
import re
import shutil
import signal

import pytest

BROKEN = """
import json

def handler(data, context):
    instances = json.loads(data.read())["instances"]
    if instances[0] > 3.0:
        raise ValueError("no such account")
    return json.dumps({"predictions": instances}), "application/json"
"""


@pytest.fixture
def canary(terminal):
    """Give the terminal with version 1 live on SageMaker, and a file of requests."""
    lines = [json.dumps({"instances": [float(number)]}) for number in range(5)]
    (terminal.folder / "requests.jsonl").write_text("\n".join(lines))
    (terminal.folder / "model" / "2").unlink()  # its signatures are others
    (terminal.folder / "model" / "2").symlink_to(os.path.realpath(terminal.folder / "model" / "1"))
    terminal.ok("deploy", terminal.model, "-t", "aws", "--version", "1")
    return terminal


def promote(terminal, *options):
    subject = (terminal.model, "-t", "aws", "--canary", "--requests", "requests.jsonl")
    return ("promote", *subject, "--steps", "50", "--rate", "10000", *options)


def with_section(terminal, section):
    """Write a `canary:` for the target into the project file."""
    file = terminal.folder / "cloudserve.yaml"
    before, provider, rest = file.read_text().partition("provider: sagemaker")
    file.write_text(f"{before}canary: {section}\n    {provider}{rest}")


def shares(terminal):
    status = json.loads(terminal.ok("status", terminal.model, "-t", "aws", "-o", "json"))
    return {each["number"]: each["traffic"] for each in status["revisions"]}


def with_broken_version(terminal):
    """Make version 2 one whose code fails for a fifth of the requests, and deploy it."""
    source = os.path.realpath(terminal.folder / "model" / "1")
    (terminal.folder / "model" / "2").unlink()
    shutil.copytree(source, terminal.folder / "model" / "2")
    code = terminal.folder / "model" / "2" / "code"
    code.mkdir()
    (code / "inference.py").write_text(BROKEN)
    terminal.ok("deploy", terminal.model, "-t", "aws", "--version", "2")


@pytest.mark.slow  # the demo shows one (test_story.py)
def test_a_version_with_errors_is_rolled_back(canary):
    with_broken_version(canary)
    code, out, err = canary.run(*promote(canary, "--report", "canary.md"))
    assert (code, out) == (6, "")
    assert re.search(r"is worse than v1-\w+ at 50 % of the traffic: errors 2\d\.\d%", err)
    assert re.search(r"Rolled back: v1-\w+ has all traffic\.", err)
    assert "Traceback" not in err
    assert shares(canary) == {1: 1.0, 2: 0.0}
    history = json.loads(canary.ok("history", canary.model, "-t", "aws", "-o", "json"))
    assert [release["operation"] for release in history[2:]] == ["promote", "rollback"]
    evidence = history[2]["canary"]
    assert (evidence["decision"], history[2]["percent"]) == ("worse", 50)
    assert evidence["reason"] in " ".join(err.split())
    assert evidence["measures"][0]["e_worse"] >= 200
    shown = " ".join(canary.ok("history", canary.model, "-t", "aws").split())
    assert f"canary worse: {evidence['reason']}" in shown
    report = (canary.folder / "canary.md").read_text()
    assert "**the canary was ended; its traffic goes back to the live revision**" in report
    assert "| canary | refused | at 50 % of the traffic worse: v2-" in report


@pytest.mark.slow
def test_a_killed_canary_of_a_good_version_is_shown_and_continued(canary):
    canary.ok("deploy", canary.model, "-t", "aws", "--version", "2")
    with canary.start(*promote(canary, "--hold", "600")) as process:
        for line in process.stderr:
            if line.startswith("50 %: "):
                break
        process.kill()
    assert shares(canary) == {1: 0.5, 2: 0.5}
    shown = " ".join(canary.ok("status", canary.model, "-t", "aws").split())
    assert re.search(r"v2-\w+ is a canary of \S+ at 50 %: canary not decided since", shown)
    code, out, err = canary.run(*promote(canary, "-o", "json"))
    assert code == 0
    assert "at 50 % with its recorded evidence" in err
    (step,) = json.loads(out)["canary"]["steps"]
    errors, _ = step["measures"]
    assert errors["canary"] == errors["live"] == {"requests": step["requests"], "events": 0}
    assert step["requests"] > 500
    assert shares(canary) == {1: 0.0, 2: 1.0}


def test_ctrl_c_gives_the_traffic_back(canary):
    canary.ok("deploy", canary.model, "-t", "aws", "--version", "2")
    section = "{requests: requests.jsonl, steps: [{percent: 50, hold: 600}], rate: 10000}"
    with_section(canary, section)
    assert "50 % for 600 s at least" in canary.ok("plan", "promote", canary.model, "-t", "aws")
    with canary.start("promote", canary.model, "-t", "aws", "--canary") as process:
        for line in process.stderr:
            if line.startswith("50 %: "):  # the evidence of the running step
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Rolled back: v1-" in err
    assert shares(canary) == {1: 1.0, 2: 0.0}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--canary",), "a canary needs requests to compare the versions with"),
        (("--canary", "--requests", "none"), "none"),
        (("--hold", "5"), "there are options for `--canary`, which is not given"),
        (("--canary", "--requests", "requests.jsonl", "--percent", "5"), "`--percent` is one step"),
        (("--canary", "--requests", "requests.jsonl", "--steps", "50,10"), "not steps of a canary"),
        (("--canary", "--requests", "requests.jsonl", "--steps", "x"), "not a list of percentages"),
    ],
)
def test_wrong_options_are_refused_before_any_request(terminal, options, problem):
    (terminal.folder / "requests.jsonl").write_text('{"instances": [1.0]}\n')
    code, out, err = terminal.run("promote", terminal.model, "-t", "aws", *options)
    assert (code, out) == (2, "")
    assert problem in err
    assert "offline" not in err  # the destination is announced first of all


def test_a_platform_that_cannot_ask_one_version_is_refused(canary):
    for number in ("1", "2"):
        canary.ok("deploy", canary.model, "-t", "gcp", "--version", number)
    options = ("--canary", "--requests", "requests.jsonl")
    code, _, err = canary.run("promote", canary.model, "-t", "gcp", *options)
    assert code == 2
    assert "AI Platform has one default version, which gets all traffic" in err
