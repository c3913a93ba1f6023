"""The CLI reference as Markdown, from the commands' own help: `make docs` writes it."""

from __future__ import annotations

import click

from cloudserve.cli.command_tree import COMMANDS, cli

WIDTH = 80
HEAD = """\
# Command line reference

Written by `make docs` from the commands' own help; a test compares the two.

Results go to standard output, progress and errors to standard error. Exit codes:
[exit-codes.md](exit-codes.md). What `--output json` prints: [json-output.md](json-output.md).

Commands, options, and the names of a project's models and targets complete in a shell that was
told so; for bash in `~/.bashrc`: `eval "$(_CLOUDSERVE_COMPLETE=bash_source cloudserve)"`. For zsh
and fish write their name in the place of `bash`.
"""


def render() -> str:
    """Return the whole page."""
    context = click.Context(
        cli, info_name="cloudserve", terminal_width=WIDTH, **cli.context_settings
    )
    sections = [("cloudserve", cli.get_help(context))]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name, terminal_width=WIDTH)
        sections.append((f"cloudserve {name}", command.get_help(inner)))
    return HEAD + "".join(f"\n## {title}\n\n```text\n{text}\n```\n" for title, text in sections)


if __name__ == "__main__":
    click.echo(render(), nl=False)
