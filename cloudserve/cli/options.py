"""Options that several commands share, and how they become library values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cloudserve.errors import CloudserveError
from cloudserve.storage.events import ignore

if TYPE_CHECKING:
    from cloudserve.cli.render.progress import View
    from cloudserve.project import Project
    from cloudserve.release.service import Releases

Function = TypeVar("Function", bound=Callable[..., Any])


class Number(click.IntRange):
    """A whole number in a range, called so in help and errors."""

    name = "number"


def names_of(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the names of a project's `models` or `targets` in a shell."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        from cloudserve.project import DEFAULT_FILE, load_project

        try:
            project = load_project(context.params.get("project_file") or DEFAULT_FILE, environ={})
        except CloudserveError:  # a shell that completes is no place for errors
            return []
        return [name for name in getattr(project, kind) if name.startswith(begun)]

    return complete


def deny_ops_option(default: str) -> Callable[[Function], Function]:
    """Return the option for ops that no model may have."""
    return click.option(
        "--deny-ops",
        metavar="OPS",
        default=default,
        show_default=True,
        help="Do not load models with these ops: names with commas between them, `scan` for those "
        "of `saved_model_cli scan`, which read and write files, or `none`.",
    )


project_option = click.option(
    "--project",
    "project_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
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
    metavar="NAME",
    envvar="CLOUDSERVE_TARGET",
    show_envvar=True,
    shell_complete=names_of("targets"),
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
allow_breaking_option = click.option(
    "--allow-breaking",
    is_flag=True,
    help="Release it although its signatures do not answer all requests of the live version.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show the plan, as `cloudserve plan` does, and do nothing."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What most commands are about: a model on a target, as they were named."""

    model: str
    target: str
    project_file: Path
    settings: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.model} on {self.target}"

    def project(self) -> Project:
        """Load the project with the environment's and the flags' overrides."""
        return load(self.project_file, self.settings)

    def releases(
        self, view: View | None = None, *, yes: bool = False, allow_breaking: bool = False
    ) -> Releases:
        """Make the library's verbs, print where they go and their progress on stderr.

        Transfers are shown in `view`, and lines above them. `yes` confirms every change,
        `allow_breaking` lets incompatible signatures pass.
        """
        from cloudserve.cli.consent import announce, asking
        from cloudserve.release.service import Releases

        notify, observe = (view.line, view.observe) if view else (progress, ignore)
        releases = Releases(
            self.project(),
            self.model,
            self.target,
            notify=notify,
            observe=observe,
            confirm=asking(yes=yes),
            allow_breaking=allow_breaking,
        )
        announce(releases.destination)
        return releases


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the model and the target, and give them to a command as one `subject`.

    It also takes what `project_options` add, which stand below the command's own in its help.
    """

    @wraps(command)
    def packed(
        *, model: str, target: str, project_file: Path, settings: tuple[str, ...], **rest: Any
    ) -> None:
        command(subject=Subject(model, target, project_file, settings), **rest)

    model_argument = click.argument("model", shell_complete=names_of("models"))
    return model_argument(target_option(packed))


def project_options(command: Function) -> Function:
    """Add the project file, and the overrides of a target's fields."""
    return project_option(set_option(command))


def load(project_file: Path, settings: tuple[str, ...]) -> Project:
    """Load a project with the environment's and the flags' overrides."""
    from cloudserve.project import load_project

    return load_project(project_file, environ=os.environ, overrides=_pairs(settings))


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
