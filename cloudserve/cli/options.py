"""Options that several commands share, and how they become library values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cloudserve.cli.progress import View
    from cloudserve.project import Project
    from cloudserve.release.service import Releases

Function = TypeVar("Function", bound=Callable[..., Any])


class Number(click.IntRange):
    """A whole number in a range, called so in help and errors."""

    name = "number"


project_option = click.option(
    "--project",
    "project_file",
    type=click.Path(path_type=Path),
    default=Path("cloudserve.yaml"),
    envvar="CLOUDSERVE_PROJECT",
    show_envvar=True,
    show_default=True,
    help="The project file.",
)
target_option = click.option(
    "--target",
    "-t",
    required=True,
    envvar="CLOUDSERVE_TARGET",
    show_envvar=True,
    help="A target of the project file.",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field of the target (may be repeated).  "
    "[env var: CLOUDSERVE_<TARGET>_<FIELD>]",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show the plan, as `cloudserve plan` does, and do nothing."
)


def target_options(command: Function) -> Function:
    """Add the arguments of every command that speaks to a target."""
    for option in (set_option, project_option, target_option, click.argument("model")):
        command = option(command)
    return command


def load(project_file: Path, settings: tuple[str, ...]) -> Project:
    """Load the project with the environment's and the flags' overrides."""
    from cloudserve.project import load_project

    return load_project(project_file, environ=os.environ, overrides=_pairs(settings))


def releases(
    model: str,
    target: str,
    project_file: Path,
    settings: tuple[str, ...],
    view: View | None = None,
) -> Releases:
    """Make the library's verbs for one model on one target, telling progress on stderr.

    Transfers are shown in `view`, and lines above them.
    """
    from cloudserve.release.service import Releases

    project = load(project_file, settings)
    if view is None:
        return Releases(project, model, target, notify=progress)
    return Releases(project, model, target, notify=view.line, observe=view.observe)


def progress(line: str) -> None:
    """Print a line of progress on stderr; a release goes on when nobody reads it."""
    with suppress(BrokenPipeError):
        click.echo(line, err=True)


def _pairs(settings: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9_]*", key):
            raise click.BadParameter(f"`{setting}` is not FIELD=VALUE", param_hint="--set")
        pairs[key] = value
    return pairs
