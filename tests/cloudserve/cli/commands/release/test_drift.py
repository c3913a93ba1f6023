"""`cloudserve diff --target` and `cloudserve plan --detailed-exitcode`."""

import json

import pytest

from cloudserve.cli.errors import run
from cloudserve.release.inspection.drift import Setting


@pytest.fixture
def live(project, platform, capsys):
    """Release a version; return its id."""
    assert run(["deploy", "half", "-t", "here", "--version", "123"]) == 0
    capsys.readouterr()
    return next(iter(platform.deployed))


@pytest.mark.parametrize("arguments", [("-t", "here"), ("half", "-t", "here"), ("half",), ()])
def test_equal_sources_exit_with_0(live, capsys, arguments):
    assert run(["diff", *arguments]) == 0
    assert capsys.readouterr().out == "half on here: no differences\n"


def test_differences_are_a_table_and_exit_with_1(live, platform, capsys):
    platform.differing = (Setting(f"instance_type of {live}", "ml.m5.large", "ml.m5.xlarge"),)
    platform.traffic = {live: 0.5, "mine": 0.5}
    assert run(["diff", "half", "-t", "here"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "half on here: 3 differences",
        "WHAT                                PROJECT      LEDGER  PLATFORM",
        "deployment mine                     -            -       not cloudserve's, 50 %",
        f"traffic of {live}        -            100 %   50 %",
        f"instance_type of {live}  ml.m5.large  -       ml.m5.xlarge",
    ]


def test_differences_as_json(live, platform, capsys):
    platform.traffic = {live: 0.5, "mine": 0.5}
    assert run(["diff", "half", "-t", "here", "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["equal"] is False
    assert document["models"][0]["drifts"][0] == {
        "what": "deployment mine",
        "project": "-",
        "ledger": "-",
        "platform": "not cloudserve's, 50 %",
    }


def test_a_target_and_two_models_are_a_usage_error(live, capsys):
    assert run(["diff", "half", "half", "-t", "here"]) == 2
    assert "--target takes at most one MODEL" in capsys.readouterr().err
    assert run(["diff", "half", "-t", "here", "--tags", "serve"]) == 2
    assert run(["diff", "hal", "-t", "here"]) == 2
    assert "did you mean `half`?" in capsys.readouterr().err


def test_a_target_in_the_environment_does_not_change_the_comparison_of_two_models(
    live, capsys, monkeypatch
):
    monkeypatch.setenv("CLOUDSERVE_TARGET", "here")
    assert run(["diff", "half:123", "half"]) == 0
    assert "compatible" in capsys.readouterr().out


def test_one_directory_needs_another(live, base, capsys):
    assert run(["diff", str(base / "123")]) == 2
    assert "missing argument NEW" in capsys.readouterr().err


def test_detailed_exit_codes_are_those_of_terraform(live, capsys):
    plan = ("plan", "deploy", "half", "-t", "here", "--detailed-exitcode", "--version")
    assert run([*plan, "123"]) == 0
    assert run([*plan, "124"]) == 2
    assert run([*plan, "9"]) == 1
    capsys.readouterr()
    assert run([*plan, "9", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"]["exit_code"] == 1
    assert run([*plan, "124", "--exit-code"]) == 1
    assert "mutually exclusive" in capsys.readouterr().err
