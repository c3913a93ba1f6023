"""Plans: shown, written to a file, applied."""

import re
import shlex

import pytest

from cloudserve.cli.errors import run
from cloudserve.errors import RemoteError


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


def plan(*arguments):
    return run(["plan", "deploy", "half", "--target", "here", *arguments])


def test_a_plan_is_shown_step_by_step_and_changes_nothing(project, platform, capsys):
    assert plan() == 0
    title, header, upload, create, _, columns, load = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"deploy half v124-\w+ on here: 2 steps; nothing is live, nothing was changed", title
    )
    assert header == "STEP     WHAT IT DOES"
    assert upload.startswith("   1  +  upload ")
    assert create.startswith("   2  +  create v124-")
    assert columns.split("  ")[0] == "GATE"
    assert load.startswith("load  compare ops and variables with the target's server  passed, ")
    assert platform.blobs.objects == {}


@pytest.mark.parametrize("command", ["deploy", "promote", "rollback"])
def test_a_dry_run_shows_the_plan(project, platform, capsys, command):
    on_target("deploy", "--version", "123")
    if command != "deploy":
        on_target("deploy")
        on_target("promote")
    if command == "promote":
        on_target("rollback")
    before = dict(platform.blobs.objects)
    capsys.readouterr()
    assert on_target(command, "--dry-run") == 0
    dry = capsys.readouterr().out
    assert re.match(rf"{command} half v\d+-\w+ on here: ", dry)
    assert platform.blobs.objects == before
    assert run(["plan", command, "half", "--target", "here"]) == 0
    assert capsys.readouterr().out == dry


def test_a_plan_in_a_file_is_applied(project, platform, capsys):
    assert plan("--out", "plan.json", "--version", "123") == 0
    assert "to carry it out:\n  cloudserve apply plan.json\n" in capsys.readouterr().err
    assert plan("--out", "again.json", "--version", "123", "--quiet") == 0
    assert capsys.readouterr().err == ""
    assert run(["apply", "plan.json"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" on here: deployed, live")
    assert platform.performed == ["create"]


def test_the_printed_command_applies_the_plan_in_its_environment(project, platform, capsys):
    file = project / "cloudserve.yaml"
    file.write_text(f"name: shop\nenvironments: {{prod: {{}}}}\n{file.read_text()}")
    assert plan("--out", "the plan.json", "--version", "123", "--env", "prod") == 0
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed == "  cloudserve apply 'the plan.json' --env prod"
    assert run(["apply", "the plan.json"]) == 5
    assert run(shlex.split(printed)[1:]) == 0
    assert platform.performed == ["create"]


def test_an_outdated_plan_has_exit_code_5(project, platform, capsys):
    plan("--out", "plan.json", "--version", "123")
    on_target("deploy")
    capsys.readouterr()
    assert run(["apply", "plan.json"]) == 5
    assert "error: the plan does not fit any more: nothing was live, v124-" in (
        capsys.readouterr().err
    )


def test_the_exit_code_of_a_plan_shows_whether_it_has_actions(project):
    assert plan("--exit-code") == 10
    on_target("deploy")
    assert plan("--exit-code") == 0


def test_a_version_to_deploy_is_a_number(project, capsys):
    assert plan("--version", "v123") == 0
    assert plan("--version", "newest") == 2
    assert "`newest` is not a version to deploy" in capsys.readouterr().err


def test_a_version_that_breaks_clients_has_the_exit_code_of_a_check(
    project, base, shared_models, capsys
):
    models, other = project / "models", shared_models / "tfs_counter"
    models.mkdir()
    (models / "1").symlink_to(base / "123")
    (models / "2").symlink_to(next(p for p in sorted(other.iterdir()) if p.is_dir()))
    text = (project / "cloudserve.yaml").read_text()
    (project / "cloudserve.yaml").write_text(text.replace(str(base), str(models)))
    assert on_target("deploy", "--version", "1") == 0
    assert plan("--version", "2") == 0
    assert "\nbreaking: signature " in capsys.readouterr().out
    for command in ("deploy", "promote"):
        assert on_target(command, "--version", "2") == 6
        assert on_target(command, "--version", "2", "--allow-breaking") == 0


def test_an_adapter_that_keeps_no_state_cannot_plan_offline(project, capsys):
    on_target("deploy")
    assert plan("--offline") == 2
    assert "the adapter `memory` keeps no state for --offline" in capsys.readouterr().err
    assert plan("--offline", "--out", "plan.json") == 2
    assert "--offline and --out are mutually exclusive" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [RemoteError("denied"), KeyboardInterrupt(), TypeError("a defect")], ids=str
)
def test_a_state_that_cannot_be_kept_changes_no_result(
    project, platform, capsys, monkeypatch, error
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("cloudserve.release.last_known.remember", fail)
    assert plan() == 0
    assert capsys.readouterr().out.startswith("deploy half v124-")
