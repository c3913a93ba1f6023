"""The pages on environment variables and exit codes have those of the code, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cloudserve.cli.command_tree import COMMANDS, cli
from cloudserve.cli.exits import Exit
from cloudserve.cli.flag_variables import variable_of
from cloudserve.project.own_variables import OWN_VARIABLES

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
CODE = ("cloudserve", "adapters", "local_server")
NAME = re.compile(r"_?CLOUDSERVE_[A-Z_]*[A-Z]")
PLACEHOLDERS = {"CLOUDSERVE_COMMAND_FLAG"}


def rows(page: str) -> list[str]:
    """Return the first cell of each row of the tables of a page."""
    lines = (REFERENCE / page).read_text("utf-8").splitlines()
    return [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]


def listed() -> list[str]:
    return [name for cell in rows("environment-variables.md") for name in NAME.findall(cell)]


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are exactly a name of a variable."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def read_by_code() -> set[str]:
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    found = {text for path in files for text in texts(path)}
    return {text for text in found if NAME.fullmatch(text)}


def named_by_flags() -> set[str]:
    """Return the variables that flags name themselves, of all commands and their subcommands."""
    context = click.Context(cli, info_name="cloudserve")
    found = set()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        inner = {f"{name} {verb}": each for verb, each in getattr(command, "commands", {}).items()}
        for path, each in {name: command, **inner}.items():
            flags = [flag for flag in each.params if isinstance(flag, click.Option)]
            found |= {flag.envvar for flag in flags if flag.envvar != variable_of(path, flag)}
    return found


def test_every_variable_of_the_code_is_listed_once_and_no_other():
    templates = [path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.*ml")]
    of_templates = {
        name.lstrip("_") for text in templates for name in NAME.findall(text)
    } - read_by_code()
    assert of_templates == {"CLOUDSERVE_PACKAGE"}
    completion = {"_CLOUDSERVE_COMPLETE"}  # click's, by the name of the program
    assert sorted(listed()) == sorted(read_by_code() | of_templates | completion)
    assert named_by_flags() <= set(listed())


def test_no_other_page_names_a_variable_that_is_not_listed():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found = {name for page in pages for name in NAME.findall(page.read_text("utf-8"))}
    fields = re.compile(r"CLOUDSERVE_(GCP|AWS)_[A-Z]+")
    flags = {"CLOUDSERVE_DEPLOY_VERSION", "CLOUDSERVE_PROMOTE_CANARY"}
    unknown = found - set(listed()) - PLACEHOLDERS - flags
    assert {name for name in unknown if not fields.fullmatch(name)} == set()


def test_a_listed_variable_that_looks_like_a_field_of_a_target_is_none():
    looks = {name for name in listed() if name.startswith("CLOUDSERVE_") and name.count("_") > 1}
    assert looks == OWN_VARIABLES


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_has_a_row(code):
    assert rows("exit-codes.md")[1:].count(str(int(code))) == 1


def test_every_row_is_an_exit_code():
    assert {int(cell) for cell in rows("exit-codes.md")[1:]} == {int(code) for code in Exit}
