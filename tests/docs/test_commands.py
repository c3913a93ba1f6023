"""Every `cloudserve` command of README and docs has the options that it is shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from cloudserve.local_server.options.flags import parse_flags

from cloudserve.cli.command_tree import cli

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"cli.md", "python-api.md"}
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in GENERATED
]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONTROL = {"|", "||", "&&", ";", "&"}
BEFORE = re.compile(r"[A-Z_]+=.*")
"""A variable before a command."""


def words(line):
    """Split a line as a shell does, with its operators apart; None if a quotation is open."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    return list(lexer)


def commands(page):
    """Yield the arguments of each `cloudserve` in the console blocks of a page."""
    for block in BLOCK.findall(page.read_text()):
        text = block.replace("\\\n", " ")
        for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
            part = []
            for word in [*words(line), ";"]:
                if word not in CONTROL:
                    part.append(word)
                    continue
                while part and BEFORE.fullmatch(part[0]):
                    part.pop(0)
                if part and part[0] == "cloudserve":
                    yield without_redirections(part[1:])
                part = []


def without_redirections(arguments):
    kept = []
    for word in arguments:
        if kept and kept[-1] in {"<", ">", ">>", "<<<"}:
            kept.pop()
        else:
            kept.append(word)
    return kept


def problem(arguments):
    """Return what the command tree refuses, or "": its options, and arguments that are missing."""
    command, name, context = cli, "cloudserve", None
    while True:
        # click keeps the help option, whose names are those of the parent's settings.
        context = click.Context(command, context, name, **command.context_settings)
        try:
            if name == "model-server":
                flags = parse_flags(arguments)
                return " ".join((*flags.unknown, *flags.problems))
            if not isinstance(command, click.Group):
                return missing(command, context, arguments)
            command.parse_args(context, list(arguments))
            rest = [*context._protected_args, *context.args]
        except click.UsageError as error:
            return f"{name}: {error.format_message()}"
        if not rest:
            return ""
        name, arguments = rest[0], rest[1:]
        command = command.get_command(context, name)
        if command is None:
            return f"no command {name}"


def missing(command, context, arguments):
    values, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if values.get("help"):
        return ""
    if rest and not command.allow_extra_args:
        return f"{command.name}: too many arguments: {rest}"
    for parameter in command.get_params(context):
        is_given = isinstance(values.get(parameter.name), str | list | tuple)
        if parameter.required and not is_given and not parameter.value_from_envvar(context):
            return f"{command.name}: {parameter.name} is missing"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_have_these_options_and_arguments(page):
    wrong = [(shlex.join(line), text) for line in commands(page) if (text := problem(line))]
    assert wrong == []


def test_a_wrong_option_and_a_missing_argument_are_found():
    assert "--targt" in problem(["deploy", "m", "--targt", "t"])
    assert problem(["comission"]) == "no command comission"
    assert problem(["model-server", "--rest_port=1"]) == "--rest_port=1"
    assert problem(["deploy"]) == "deploy: model is missing"
