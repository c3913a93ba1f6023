"""The command line from outside: what it prints where, and its exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from cloudserve.cli.border import run
from cloudserve.cli.commands import COMMANDS, cli
from cloudserve.errors import RemoteError

HEAVY = {"tensorflow", "numpy", "boto3", "botocore", "googleapiclient", "google", "grpc", "yaml"}

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))

PROJECT = """\
models:
  half:
    path: {path}
targets:
  here:
    provider: memory
"""


@pytest.fixture
def project(tmp_path, monkeypatch, base, releases):
    """Stand in a project folder whose target is the platform in memory."""
    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=base))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDSERVE_ACTOR", "ada")
    return tmp_path


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_imports_no_heavy_library(command):
    code = (
        # What is there at the start is an installed package's `.pth` file's.
        "import sys; before = set(sys.modules);"
        "from cloudserve.cli.border import run; run(sys.argv[1:] + ['--help']);"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(loaded), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    assert "usage: cloudserve" in done.stdout.lower()
    assert not HEAVY & set(json.loads(done.stderr.replace("'", '"')))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_of_commands_is_the_commands_own(name):
    command = cli.get_command(None, name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name][1]


def test_the_version_stands_in_one_place(capsys):
    from cloudserve import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"cloudserve {__version__}\n"


def test_deploy_tells_progress_on_stderr_and_the_result_on_stdout(project, capsys):
    assert on_target("deploy", "--version", "123") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("half v123-")
    assert lines[0].endswith("on here: deployed, live")
    assert lines[1].split() == ["REVISION", "STATE", "TRAFFIC", "CREATED", "DIGEST"]
    assert err.startswith("upload ")


def test_deploying_again_says_that_nothing_is_to_do(project, capsys):
    on_target("deploy")
    capsys.readouterr()
    assert on_target("deploy") == 0
    out, err = capsys.readouterr()
    assert "is deployed already, nothing to do" in out
    assert err == ""


def test_json_holds_the_same_facts(project, capsys):
    on_target("deploy", "--version", "123")
    capsys.readouterr()
    assert on_target("status", "--output", "json") == 0
    status = json.loads(capsys.readouterr().out)
    assert [(r["number"], r["traffic"], r["state"]) for r in status["revisions"]] == [
        (123, 1.0, "ready")
    ]
    assert on_target("history", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)[0]["who"] == "ada"


def test_the_whole_way_of_a_release(project, capsys):
    for command in (
        ["deploy", "--version", "123"],
        ["deploy"],
        ["promote"],
        ["rollback"],
        ["history"],
    ):
        assert on_target(*command) == 0
    out = capsys.readouterr().out
    assert "half on here: 4 releases" in out
    assert [line.split()[3] for line in out.splitlines()[-4:]] == [
        "deploy",
        "deploy",
        "promote",
        "rollback",
    ]


def test_an_expected_failure_is_what_where_and_what_to_do(project, capsys):
    assert run(["deploy", "half", "--target", "hare"]) == 2
    assert capsys.readouterr().err == (
        "error: the project has no target `hare`\n"
        "  where: cloudserve.yaml\n"
        "  to do: did you mean `here`?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message", "where"),
    [
        ("inspct", "no such command 'inspct'. Did you mean 'inspect'?", "cloudserve"),
        ("deploy", "missing argument 'MODEL'.", "cloudserve deploy"),
        (
            "deploy m -t t --vresion 1",
            "no such option '--vresion'. Did you mean '--version'?",
            "cloudserve deploy",
        ),
        (
            "promote m -t t --percent x",
            "invalid value for '--percent': 'x' is not a valid number.",
            "cloudserve promote",
        ),
    ],
)
def test_a_wrong_use_is_told_in_the_same_three_lines(capsys, arguments, message, where):
    assert run(arguments.split()) == 2
    assert capsys.readouterr() == (
        "", f"error: {message}\n  where: {where}\n  to do: {where} --help\n"
    )  # fmt: skip


def test_without_a_command_there_is_help(capsys):
    assert run([]) == 2
    assert "\nRelease:\n  plan " in capsys.readouterr().err


def test_a_result_that_cannot_be_written_is_told(shared_models):
    command = [CLOUDSERVE, "inspect", str(shared_models / "tfs_half_plus_two_tf2")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the result cannot be written: No space left on device\n")


def test_a_remote_failure_has_its_own_exit_code_and_tells_what_is_done(project, platform, capsys):
    def refuse(action):
        raise RemoteError("quota exceeded", where="here", request_id="r-1")

    platform.before = refuse
    assert on_target("deploy", "--version", "123") == 4
    err = capsys.readouterr().err
    assert "error: quota exceeded\n  where: here\n  request: r-1\n" in err
    assert "  done: upload " in err
    assert "Traceback" not in err


def test_an_interrupt_has_exit_code_130_and_tells_what_is_done(project, platform, capsys):
    def interrupt(action):
        raise KeyboardInterrupt

    platform.before = interrupt
    assert on_target("deploy") == 130
    assert "interrupted\n  done: upload " in capsys.readouterr().err


def test_a_bug_is_told_without_a_traceback_unless_asked(project, platform, capsys):
    def bug(action):
        raise ZeroDivisionError("division by zero")

    platform.before = bug
    assert on_target("deploy") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run(["--debug", "deploy", "half", "--target", "here"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_model_has_exit_code_3(tmp_path, capsys):
    (tmp_path / "saved_model.pb").write_bytes(b"no protobuf")
    assert run(["inspect", str(tmp_path)]) == 3
    assert str(tmp_path) in capsys.readouterr().err


def test_a_lock_in_the_way_has_exit_code_5(project, platform, capsys):
    codes = []
    platform.before = lambda action: codes.append(on_target("deploy", "--version", "124"))
    assert on_target("deploy", "--version", "123") == 0
    assert codes == [5]


def test_a_setting_that_is_none_is_refused(project, capsys):
    assert on_target("status", "--set", "bucket") == 2
    assert "`bucket` is not FIELD=VALUE" in capsys.readouterr().err


def test_inspect_shows_signatures_size_and_digest_without_tensorflow(shared_models):
    code = (
        "import sys; from cloudserve.cli.border import run; code = run(sys.argv[1:]);"
        "assert not {'tensorflow', 'numpy'} & set(sys.modules); sys.exit(code)"
    )
    path = str(shared_models / "tfs_half_plus_two_tf2")
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", path], capture_output=True, text=True, check=True
    )
    assert "signature serving_default (predict)" in done.stdout
    assert "digest      sha256:" in done.stdout


def test_inspect_takes_a_model_of_the_project(project, capsys):
    assert run(["inspect", "half", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 124


def test_inspect_of_nothing_is_a_usage_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["inspect", "half"]) == 2
    assert "`half` is no directory, and there is no project file" in capsys.readouterr().err


def test_inspect_of_a_name_that_is_neither_says_both(project, capsys):
    assert run(["inspect", "hlaf"]) == 2
    err = capsys.readouterr().err
    assert "`hlaf` is no directory, and the project has no model of that name" in err
    assert "to do: did you mean `half`?" in err


@pytest.mark.parametrize("command", ["status", "history"])
def test_nothing_is_a_result_too(project, capsys, command):
    assert on_target(command) == 0
    assert "half on here: nothing " in capsys.readouterr().out
    assert on_target(command, "--output", "json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result if command == "history" else result["revisions"]) == []


def test_history_shows_the_last_releases_and_says_that_there_are_more(project, capsys):
    for command in (["deploy", "--version", "123"], ["deploy"], ["promote"]):
        on_target(*command)
    capsys.readouterr()
    on_target("history", "--limit", "2")
    title, _, *rows = capsys.readouterr().out.splitlines()
    assert title == "half on here: the last 2 releases, --limit 0 shows all"
    assert [row.split()[3] for row in rows] == ["deploy", "promote"]
    on_target("history", "--limit", "0")
    assert capsys.readouterr().out.startswith("half on here: 3 releases\n")


def test_a_release_without_an_end_is_told_with_the_steps_it_did(project, platform, capsys):
    def killed(key):
        if "/ledger/" in key and len([k for k in platform.blobs.objects if "/ledger/" in k]) == 2:
            raise RemoteError("the network is down")

    platform.blobs.before_write = killed
    assert on_target("deploy") == 4
    capsys.readouterr()
    on_target("history")
    assert "  unfinished, 1 step done  " in capsys.readouterr().out


def completed(*arguments, begun=""):
    shell = ShellComplete(cli, {}, "cloudserve", "_CLOUDSERVE_COMPLETE")
    return [item.value for item in shell.get_completions([*arguments], begun)]


def test_a_shell_completes_commands_options_and_the_projects_names(project):
    assert completed(begun="de") == ["deploy"]
    assert completed("deploy", begun="--ver") == ["--version"]
    assert completed("deploy", begun="h") == ["half"]
    assert completed("promote", "half", "--target") == ["here"]
    assert completed("status", "--project", "nowhere.yaml", begun="h") == []


# Plans.


def plan(*arguments):
    return run(["plan", "deploy", "half", "--target", "here", *arguments])


def test_a_plan_is_shown_step_by_step_and_nothing_is_done(project, platform, capsys):
    assert plan() == 0
    title, header, upload, create = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"deploy half v124-\w+ on here: 2 steps; nothing is live, nothing was done", title
    )
    assert header == "STEP  WHAT IT DOES"
    assert upload.startswith("   1  upload ")
    assert create.startswith("   2  create v124-")
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
    assert "to do it:\n  cloudserve apply plan.json\n" in capsys.readouterr().err
    assert run(["apply", "plan.json"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" on here: deployed, live")
    assert platform.performed == ["create"]


def test_a_plan_that_does_not_fit_any_more_has_exit_code_5(project, platform, capsys):
    plan("--out", "plan.json", "--version", "123")
    on_target("deploy")
    capsys.readouterr()
    assert run(["apply", "plan.json"]) == 5
    assert "error: the plan does not fit any more: nothing was live, v124-" in (
        capsys.readouterr().err
    )


def test_the_exit_code_of_a_plan_tells_whether_something_is_to_do(project):
    assert plan("--exit-code") == 10
    on_target("deploy")
    assert plan("--exit-code") == 0


def test_a_version_to_deploy_is_a_number(project, capsys):
    assert plan("--version", "v123") == 2
    assert "`v123` is not a version to deploy" in capsys.readouterr().err


def test_one_release_is_one(project, capsys):
    on_target("deploy")
    on_target("history")
    assert "half on here: 1 release\n" in capsys.readouterr().out


def test_a_traffic_that_nobody_had_is_told_so(project, platform, capsys):
    on_target("deploy", "--version", "123")
    platform.traffic = {}
    assert on_target("promote") == 0
    assert capsys.readouterr().out.splitlines()[-3].endswith(": live, was nothing")


@pytest.mark.parametrize(
    ("output", "printed"),
    [
        ("json", '{"predictions": [{"a": 1.5, "b": "x"}, {"a": [2]}]}\n'),
        ("table", "a    b\n1.5  x\n[2]  null\n"),
    ],
)
def test_predict_prints_the_answer_as_it_comes_or_a_line_a_prediction(
    project, platform, capsys, output, printed
):
    platform.predict = lambda model, body, revision_id=None: (
        b'{"predictions": [{"a": 1.5, "b": "x"}, {"a": [2]}]}'
    )
    (project / "request").write_text('{"instances": [1, 2]}')
    assert on_target("predict", "--input", "request", "-o", output) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("request_", "message"),
    [(b"", "the request is empty"), (b'{"instances": [', "the request is not JSON: ")],
)
def test_a_request_that_is_no_json_is_not_sent(project, platform, capsys, request_, message):
    platform.predict = None
    (project / "request").write_bytes(request_)
    assert on_target("predict", "--input", "request") == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_second_ctrl_c_does_not_hide_what_the_first_left(project, platform, capsys):
    def twice(action):
        platform.blobs.delete = interrupt
        raise KeyboardInterrupt

    def interrupt(key):
        raise KeyboardInterrupt

    platform.before = twice
    assert on_target("deploy") == 130
    assert "interrupted\n  done: upload " in capsys.readouterr().err


def test_a_reader_who_goes_away_is_no_failure(shared_models):
    command = [CLOUDSERVE, "inspect", str(shared_models / "tfs_half_plus_two_tf2")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_sigterm_ends_a_command_as_ctrl_c_does(tmp_path):
    project = tmp_path / "cloudserve.yaml"
    os.mkfifo(project)
    command = [CLOUDSERVE, "status", "half", "-t", "here", "--project", str(project)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process, project.open("w"):  # opened: the command reads, and waits for the end
        process.terminate()
        assert process.stderr.read().strip() == "interrupted"
    assert process.returncode == 130


def test_init_writes_a_project_file_that_loads(tmp_path, monkeypatch, shared_models, capsys):
    model = tmp_path / "models" / "my model"
    model.mkdir(parents=True)
    (model / "1").symlink_to(shared_models / "tfs_half_plus_two_2v" / "124")
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["inspect", "my-model"]) == 0
    assert run(["init"]) == 5
    assert "cloudserve.yaml is there already" in capsys.readouterr().err
    assert run(["init", "--force", "--target", "aws", "-t", "gcp"]) == 0
    assert "  cloudserve deploy my-model --target aws  # " in capsys.readouterr().err


def test_init_without_a_model_says_how_to_export_one(tmp_path, capsys):
    assert run(["init", str(tmp_path)]) == 2
    assert "there is no SavedModel here" in capsys.readouterr().err


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "cloudserve", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("cloudserve ")
