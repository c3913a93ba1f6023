"""Failures: an exit code, and the error, its location and a hint on stderr."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cloudserve.cli.errors import run
from cloudserve.errors import RemoteError
from cloudserve.hints import in_environment

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


def test_an_expected_failure_prints_error_location_and_hint(project, capsys):
    assert run(["deploy", "half", "--target", "hare"]) == 2
    assert capsys.readouterr().err == (
        "error: the project has no target `hare`\n"
        "  where: cloudserve.yaml\n"
        "  to do: did you mean `here`?\n"
    )


def test_a_quoted_text_does_not_steer_the_terminal(project, capsys):
    assert run(["deploy", "half", "--target", "\x1b[2Jhere\x9b"]) == 2
    message = capsys.readouterr().err.splitlines()[0]
    assert message == "error: the project has no target `\ufffd[2Jhere\ufffd`"


@pytest.mark.parametrize("option", [["-o", "json"], ["-ojson"], ["--output=json"]])
def test_an_error_is_json_where_the_result_would_be(project, capsys, option):
    assert run(["deploy", "half", "--target", "hare", *option]) == 2
    assert json.loads(capsys.readouterr().err) == {
        "error": {
            "message": "the project has no target `hare`",
            "where": "cloudserve.yaml",
            "hint": "did you mean `here`?",
            "request_id": None,
            "notes": [],
            "exit_code": 2,
        }
    }


def test_an_error_is_json_by_the_variable_too_even_a_usage_error(capsys, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_OUTPUT", "json")
    assert run(["inspct"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["where"], error["exit_code"]) == ("cloudserve", 2)


def test_the_only_target_may_be_omitted(project, capsys):
    assert run(["deploy", "half"]) == 0
    assert "on here: deployed, live" in capsys.readouterr().out


def test_several_targets_are_named_if_none_is_given(project, capsys):
    file = project / "cloudserve.yaml"
    file.write_text(file.read_text() + "  there:\n    provider: memory\n")
    assert run(["deploy", "half"]) == 2
    assert capsys.readouterr().err == (
        "error: a target is needed: the project has `here` and `there`\n"
        "  where: cloudserve.yaml\n"
        "  to do: --target NAME, or CLOUDSERVE_TARGET\n"
    )


def test_a_command_in_a_folder_of_the_repository_finds_the_project(project, capsys, monkeypatch):
    (project / ".git").mkdir()
    (project / "notes").mkdir()
    monkeypatch.chdir(project / "notes")
    assert run(["status", "half"]) == 0
    assert "half on here: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "where"),
    [
        ("inspct", "no such command 'inspct'. Did you mean 'inspect'?", "cloudserve"),
        ("delete", "no such command 'delete'. Did you mean 'undeploy'?", "cloudserve"),
        ("remove", "no such command 'remove'. Did you mean 'undeploy'?", "cloudserve"),
        ("destroy", "no such command 'destroy'. Did you mean 'undeploy'?", "cloudserve"),
        ("tear-down", "no such command 'tear-down'. Did you mean 'undeploy'?", "cloudserve"),
        ("undeply", "no such command 'undeply'. Did you mean 'undeploy'?", "cloudserve"),
        (
            "undeploy m -t t --all --version 1",
            "--version and --all are mutually exclusive",
            "cloudserve undeploy",
        ),
        ("deploy", "missing argument 'MODEL'.", "cloudserve deploy"),
        ("image build", "name --push or --out", "cloudserve image build"),
        (
            "promote m -t t --percent x",
            "invalid value for '--percent': 'x' is not a valid number.",
            "cloudserve promote",
        ),
    ],
)
def test_a_usage_error_prints_the_same_three_lines(capsys, arguments, message, where):
    assert run(arguments.split()) == 2
    assert capsys.readouterr() == (
        "", f"error: {message}\n  where: {where}\n  to do: {where} --help\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("gc m -t t", "add --keep N; cloudserve gc --help"),
        ("pull m -t t", "add --into DIRECTORY; cloudserve pull --help"),
        (
            "--project {file} status",
            "write the options of a command behind it: cloudserve status --project …",
        ),
        (
            "--verbose --project {file} status",
            "write the options of a command behind it: cloudserve status --project …",
        ),
        ("--vrsion", "cloudserve --help"),
        ("metrics grafana", "choose alerts or dashboard; cloudserve metrics --help"),
        ("predict m -t t {file}", "give the file as an option: --input {file}"),
        (
            "predict m -t t [1]",
            "write the request into a file, and give that as an option: --input FILE",
        ),
        ("batch m -t t {file}", "add --input FILE; cloudserve batch --help"),
        ("predict m -t t more", "cloudserve predict --help"),
        (
            "predict {file} -t t",
            "name the model first, and the request as an option: --input {file}",
        ),
    ],
)
def test_a_usage_error_names_the_option_or_the_subcommand_to_give(
    tmp_path, capsys, arguments, hint
):
    file = tmp_path / "request.json"
    file.write_text("{}")
    assert run(arguments.format(file=file).split()) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last == f"  to do: {hint.format(file=file)}"


@pytest.mark.parametrize("command", ["inspect", "check"])
def test_a_text_that_is_too_long_for_a_name_is_an_error_of_its_command(capsys, command):
    request = json.dumps({"instances": list(range(100))})
    assert run([command, request]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: `{request[:40]}…` is too long for the name of a file",
        f"  where: cloudserve {command}",
        f"  to do: name a file; cloudserve {command} --help",
    ]


def test_a_long_text_beside_the_model_is_a_usage_error(capsys):
    assert run(["predict", "m", "-t", "t", "x" * 300]) == 2
    assert capsys.readouterr().err.endswith("  to do: cloudserve predict --help\n")


def test_a_model_is_asked_even_if_a_file_has_its_name(project, platform, capsys):
    (project / "half").write_text("notes")
    (project / "request").write_text('{"instances": [1.0]}')
    assert on_target("deploy", "--version", "123") == 0
    assert on_target("predict", "--input", "request") == 0
    assert capsys.readouterr().out


def test_an_error_without_a_place_of_its_own_names_the_command(capsys):
    assert run(["emulate", "--", "nosuchprogram"]) == 2
    assert capsys.readouterr().err.splitlines()[:2] == [
        "error: the command `nosuchprogram` does not exist or cannot be executed",
        "  where: cloudserve emulate",
    ]


def test_an_unknown_option_names_the_one_that_is_meant(capsys):
    assert run(["deploy", "m", "-t", "t", "--dry-rn"]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    # Versions of click differ in their quotation marks.
    assert re.fullmatch("error: no such option.*--dry-rn.*Did you mean.*--dry-run.*", first)
    assert rest == ["  where: cloudserve deploy", "  to do: cloudserve deploy --help"]


def test_a_result_that_cannot_be_written_is_an_error(shared_models):
    command = [CLOUDSERVE, "inspect", str(shared_models / "tfs_half_plus_two_tf2")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the result cannot be written: No space left on device\n")


def test_progress_that_cannot_be_written_does_not_stop_a_release(project, platform, monkeypatch):
    with suppress(OSError), Path("/dev/full").open("w") as full:  # its end fails as its writes do
        monkeypatch.setattr(sys, "stderr", full)
        assert on_target("deploy", "--version", "123") == 0
    assert platform.deployed


def test_a_remote_failure_has_exit_code_4_and_lists_completed_steps(project, platform, capsys):
    def refuse(action):
        raise RemoteError("quota exceeded", where="here", request_id="r-1")

    platform.before = refuse
    assert on_target("deploy", "--version", "123") == 4
    err = capsys.readouterr().err
    assert "error: quota exceeded\n  where: here\n  request: r-1\n" in err
    assert "  done: upload " in err
    assert "Traceback" not in err


def test_an_interrupt_has_exit_code_130_and_lists_completed_steps(project, platform, capsys):
    def interrupt(action):
        raise KeyboardInterrupt

    platform.before = interrupt
    assert on_target("deploy") == 130
    assert "interrupted\n  done: upload " in capsys.readouterr().err


def test_a_second_ctrl_c_does_not_hide_the_notes_of_the_first(project, platform, capsys):
    def twice(action):
        platform.blobs.delete = interrupt
        raise KeyboardInterrupt

    def interrupt(key):
        raise KeyboardInterrupt

    platform.before = twice
    assert on_target("deploy") == 130
    assert "interrupted\n  done: upload " in capsys.readouterr().err


def test_a_bug_is_reported_without_a_traceback_unless_debugging(project, platform, capsys):
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


def test_a_held_lock_has_exit_code_5(project, platform, capsys):
    codes = []
    platform.before = lambda action: codes.append(on_target("deploy", "--version", "124"))
    assert on_target("deploy", "--version", "123") == 0
    assert codes == [5]


def test_an_invalid_setting_is_refused(project, capsys):
    assert on_target("status", "--set", "bucket") == 2
    assert "`bucket` is not FIELD=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("request_", "message"),
    [(b"", "the request is empty"), (b'{"instances": [', "the request is not JSON: ")],
)
def test_a_request_that_is_not_json_is_not_sent(project, platform, capsys, request_, message):
    platform.predict = None
    (project / "request").write_bytes(request_)
    assert on_target("predict", "--input", "request") == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_closed_pipe_is_not_a_failure(shared_models):
    command = [CLOUDSERVE, "inspect", str(shared_models / "tfs_half_plus_two_tf2")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.fixture
def waiting(tmp_path):
    """Return a function that starts a command, which reads the project file that the caller has."""
    project = tmp_path / "cloudserve.yaml"
    os.mkfifo(project)

    def start(*before):
        command = [*before, CLOUDSERVE, "status", "half", "-t", "here", "--project", str(project)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True), project

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_a_job_or_a_terminal_ends_a_command_as_ctrl_c_does(waiting, number):
    process, project = waiting()
    with process, project.open("w"):  # opened: the command reads, and waits for the end
        process.send_signal(number)
        assert process.stderr.read().strip() == "interrupted"
    assert process.returncode == 130


def test_under_nohup_a_command_outlives_its_terminal(waiting):
    process, project = waiting("nohup")
    with process:
        with project.open("w"):
            process.send_signal(signal.SIGHUP)
        assert "error: " in process.stderr.read()  # the project file is empty
    assert process.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["deploy", "half", "--target"], "cloudserve deploy"),
        (["--debug", "golden", "record", "--out"], "cloudserve golden record"),
        (["--nonsense"], "cloudserve"),
    ],
)
def test_an_option_without_its_argument_names_its_command(arguments, command, capsys):
    assert run(arguments) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        f"  where: {command}",
        f"  to do: {command} --help",
    ]


@pytest.mark.parametrize("chosen", [("--env", "prod"), ("--env=prod",), ()])
def test_a_command_in_a_hint_is_for_the_same_environment(project, capsys, monkeypatch, chosen):
    file = project / "cloudserve.yaml"
    file.write_text(f"name: shop\nenvironments: {{prod: {{}}}}\n{file.read_text()}")
    if not chosen:
        monkeypatch.setenv("CLOUDSERVE_ENV", "prod")
    assert on_target("promote", *chosen) != 0
    hint = "  to do: cloudserve deploy half --target here --env prod\n"
    assert capsys.readouterr().err.endswith(hint)


def test_commands_on_targets_alone_get_an_environment():
    text = "run `cloudserve status m --target a`; or: cloudserve rollback m --target a --to 1, "
    assert in_environment(f"{text}cloudserve doctor", "eu") == (
        "run `cloudserve status m --target a --env eu`; or: cloudserve rollback m --target a "
        "--env eu --to 1, cloudserve doctor"
    )
    assert in_environment(text, "") == text
