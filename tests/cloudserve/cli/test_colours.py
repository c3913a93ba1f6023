"""Colours: for a terminal, unless a variable says otherwise."""

import os
import pty
import subprocess
import sys

import pytest

from cloudserve.cli.colours import toned, use_colours
from cloudserve.cli.errors import run

RED = "\x1b[31m\x1b[1merror:\x1b[0m"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),  # no-color.org: present and not an empty string
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, None),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_variables_decide_before_the_terminal_does(environ, expected):
    assert use_colours(environ) is expected


def test_the_first_word_of_an_error_and_of_a_warning_has_a_colour():
    assert toned("error: no") == f"{RED} no"
    assert toned("warning: slow").startswith("\x1b[33m")
    assert toned("no error: here") == "no error: here"


def test_a_pipe_gets_no_colours_unless_they_are_forced(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    run(["inspect", "nothing-here"])
    assert capsys.readouterr().err.startswith("error: ")
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(["inspect", "nothing-here"])
    assert capsys.readouterr().err.startswith(f"{RED} ")


def test_a_terminal_gets_colours():
    environ = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cloudserve", "inspect", "nothing-here"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**environ, "TERM": "xterm"}):
        os.close(theirs)
        assert os.read(ours, 1000).decode().startswith(f"{RED} ")
    os.close(ours)
