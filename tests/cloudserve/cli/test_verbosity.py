"""`--quiet`, `--verbose` and `--debug`: before the command and after it, for that command alone."""

import logging

import pytest

from cloudserve.cli.errors import run
from cloudserve.cli.options import print_progress
from cloudserve.errors import UserError


def deployed(*flags):
    return ["deploy", "half", "--target", "here", "--version", "123", *flags]


@pytest.mark.parametrize("arguments", [deployed("-q"), ["--quiet", *deployed()]])
def test_quiet_prints_the_result_alone(project, capsys, arguments):
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("half v123-")
    assert err == ""


def test_quiet_is_a_variable_too_and_counts_for_one_command(project, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("CLOUDSERVE_QUIET", "1")
        run(["plan", "deploy", "half", "--target", "here"])
        assert capsys.readouterr().err == ""
    run(["plan", "deploy", "half", "--target", "here"])
    assert capsys.readouterr().err != ""


def test_quiet_leaves_errors_and_warnings(project, platform, capsys, monkeypatch):
    read = platform.read

    def warned(model):
        print_progress("warning: the disk is slow")
        print_progress("the disk turns")
        return read(model)

    platform.read = warned
    assert run(["status", "half", "-q"]) == 0
    assert capsys.readouterr().err == "warning: the disk is slow\n"
    assert run(["-q", "deploy", "half", "--target", "hare"]) == 2
    assert capsys.readouterr().err.startswith("error: the project has no target `hare`\n")


def test_verbose_prints_what_the_library_logs_below_the_progress(project, platform, capsys):
    read = platform.read

    def logged(model):
        logging.getLogger("cloudserve.adapters.example").debug("DescribeEndpoint: 200 in 3 ms")
        return read(model)

    platform.read = logged
    assert run(["status", "half", "-v"]) == 0
    assert "  DescribeEndpoint: 200 in 3 ms\n" in capsys.readouterr().err
    assert run(["status", "half"]) == 0
    assert "DescribeEndpoint" not in capsys.readouterr().err


def test_debug_may_be_after_the_command(capsys, monkeypatch):
    monkeypatch.setattr("cloudserve.cli.model_argument.resolve_version", lambda *_: 1 / 0)
    assert run(["inspect", "x/y", "--debug"]) != 0
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "is_shown"), [("0", False), ("false", False), ("1", True)])
def test_debug_is_a_variable_that_can_be_off(capsys, monkeypatch, value, is_shown):
    monkeypatch.setattr("cloudserve.cli.model_argument.resolve_version", lambda *_: 1 / 0)
    monkeypatch.setenv("CLOUDSERVE_DEBUG", value)
    assert run(["inspect", "x/y"]) != 0
    assert ("Traceback" in capsys.readouterr().err) is is_shown


@pytest.mark.parametrize(
    ("flags", "level"), [([], logging.INFO), (["-q"], logging.WARNING), (["-v"], logging.DEBUG)]
)
def test_a_servers_own_log_has_the_lines_that_the_flags_leave(
    tmp_path, monkeypatch, capsys, flags, level
):
    library = logging.getLogger("cloudserve")

    def started(*_):
        library.debug("once")  # by the log's own handler, not below the progress
        assert library.level == level
        raise UserError("not now", hint="later")

    monkeypatch.setattr(library, "level", library.level)
    monkeypatch.setattr("cloudserve.registry.local_server", started)
    assert run(["serve", str(tmp_path), *flags]) == 2
    err = capsys.readouterr().err
    assert "error: not now" in err
    assert "  once" not in err


def test_options_after_the_command_of_emulate_are_the_commands_own(capsys):
    assert run(["emulate", "no-such-program", "-v", "--port", "x"]) == 2
    assert capsys.readouterr().err.startswith("error: the command `no-such-program` does not exist")
