"""Options shared by several commands, and their conversion to library values."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from cloudserve.cli.flag_variables import LINE
from cloudserve.cli.gate_flags import NO_FLAGS, GateFlags
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.verbosity import is_progress_shown, print_line
from cloudserve.errors import CloudserveError, UserError
from cloudserve.hints import in_environment
from cloudserve.known.tape import LIVE, Tape
from cloudserve.project import Project
from cloudserve.project.environments import VARIABLE
from cloudserve.storage.events import Reporter

if TYPE_CHECKING:
    from cloudserve.project import Project
    from cloudserve.release.service import Releases

ENVIRONMENT = "cloudserve.environment"
"""The key of the chosen environment in a command's context."""
Function = TypeVar("Function", bound=Callable[..., Any])


class Number(click.IntRange):
    """An integer in a range, called `number` in help and error texts."""

    name = "number"


class Decimal(click.FloatRange):
    """A number with a point in a range, called `number` as well."""

    name = "number"


class VersionNumber(Number):
    """The number of a version directory, also as `v2`."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        digits = str(value).removeprefix("v")
        return int(super().convert(cast("Any", digits), param, ctx))


def names_of(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return the shell completion of the names of a project's `models` or `targets`."""

    def complete(context: click.Context, _parameter: click.Parameter, prefix: str) -> list[str]:
        from cloudserve.project import DEFAULT_FILE, load_project

        try:
            project = load_project(context.params.get("project_file") or DEFAULT_FILE, environ={})
        except CloudserveError:  # completion must not print errors
            return []
        return [name for name in getattr(project, kind) if name.startswith(prefix)]

    return complete


def deny_ops_option(default: str) -> Callable[[Function], Function]:
    """Return the option for ops that models must not contain."""
    return click.option(
        "--deny-ops",
        metavar="OPS",
        default=default,
        help="Refuse to load models with these ops: comma-separated names, `scan` for the ops of "
        "`saved_model_cli scan`, which read and write files, or `none`.",
    )


def _find_project_file() -> Path:
    from cloudserve.project import find_project_file

    return find_project_file(Path.cwd())


project_file_option = click.option(
    "--project",
    "project_file",
    type=NamedPath(),
    metavar="FILE",
    default=_find_project_file,
    envvar="CLOUDSERVE_PROJECT",
    show_envvar=True,
    show_default="cloudserve.yaml, here or above in the Git repository",
    help="The project file.",
)


def _choose_environment(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[ENVIRONMENT] = value


_environment_option = click.option(
    "--env",
    metavar="NAME",
    envvar=VARIABLE,
    show_envvar=True,
    expose_value=False,
    callback=_choose_environment,
    help="An environment of the project file, whose overrides of the targets' fields apply.",
)


def project_option(command: Function) -> Function:
    """Add the options for the project file and its environment."""
    return project_file_option(_environment_option(command))


def target_option_for(text: str) -> Callable[[Function], Function]:
    """Return the option for a target, with what a command does without it."""
    return click.option(
        "--target",
        "-t",
        metavar="NAME",
        envvar="CLOUDSERVE_TARGET",
        show_envvar=True,
        shell_complete=names_of("targets"),
        help=text,
    )


target_option = target_option_for(
    "A target of the project file; may be omitted if there is only one."
)
set_option = click.option(
    "--set",
    "settings",
    type=LINE,
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field of the target; can be repeated.  [env var: CLOUDSERVE_<TARGET>_<FIELD>]",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show the plan, as `cloudserve plan` does, without acting."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of most commands: a model on a target, by name."""

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
        self,
        *,
        yes: bool = False,
        gates: GateFlags = NO_FLAGS,
        tape: Tape = LIVE,
    ) -> Releases:
        """Create the library's Releases, and show their destination and progress on stderr.

        `yes` confirms every change, `gates` has the overrides of gates, `tape` keeps what is read.
        """
        from cloudserve.cli.consent import announce, plan_confirmation
        from cloudserve.release.service import Releases

        _take_hangup_as_ctrl_c()
        releases = Releases(
            self.project(),
            self.model,
            self.target,
            reporter=progress_reporter(),
            confirm=plan_confirmation(yes=yes),
            allow_breaking=gates.allow_breaking,
            overrides=gates.overrides,
            require_other=gates.require_other,
            tape=tape,
        )
        announce(releases.destination)
        return releases


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the model and target parameters, and pass them to the command as one `subject`.

    `subject` includes the parameters of `project_options`, which the help lists after the
    command's own options.
    """

    @wraps(command)
    def with_subject(
        *,
        model: str,
        target: str | None,
        project_file: Path,
        settings: tuple[str, ...],
        **rest: Any,
    ) -> None:
        chosen = target or only_target(load(project_file, settings))
        command(subject=Subject(model, chosen, project_file, settings), **rest)

    model_argument = click.argument("model", shell_complete=names_of("models"))
    return model_argument(target_option(with_subject))


def models_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an optional model and the target, and pass a subject for each model as `subjects`."""

    @wraps(command)
    def with_subjects(
        *,
        model: str | None,
        target: str | None,
        project_file: Path,
        settings: tuple[str, ...],
        **rest: Any,
    ) -> None:
        command(subjects=subjects_of(model, target, project_file, settings), **rest)

    argument = click.argument("model", required=False, shell_complete=names_of("models"))
    return argument(target_option(with_subjects))


def subjects_of(
    model: str | None, target: str | None, project_file: Path, settings: tuple[str, ...]
) -> tuple[Subject, ...]:
    """Return a model, by default every model of the project, on a target."""
    project = load(project_file, settings)
    chosen = target or only_target(project)
    models = (model,) if model else tuple(project.models)
    return tuple(Subject(name, chosen, project_file, settings) for name in models)


def only_target(project: Project) -> str:
    """Return the target of a project that has one; raises UserError with the names of several."""
    names = [f"`{name}`" for name in project.targets]
    if len(names) == 1:
        return next(iter(project.targets))
    raise UserError(
        f"a target is needed: the project has {' and '.join(names) or 'none'}",
        where=str(project.path),
        hint="--target NAME, or CLOUDSERVE_TARGET" if names else "add one below `targets:`",
    )


def project_options(command: Function) -> Function:
    """Add the options for the project file and for overrides of a target's fields."""
    return project_option(set_option(command))


def load(project_file: Path, settings: tuple[str, ...]) -> Project:
    """Load a project with the environment's and the flags' overrides."""
    from cloudserve.project import load_project

    context = click.get_current_context(silent=True)
    chosen = context.meta.get(ENVIRONMENT) if context else None
    overrides = _pairs(settings)
    return load_project(project_file, overrides=overrides, environment=chosen)


def _take_hangup_as_ctrl_c() -> None:
    """End a release as for Ctrl-C when its terminal closes, unless `nohup` ignores that."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def progress_reporter() -> Reporter:
    """Return a reporter that shows a command's progress on stderr until the command ends."""
    from cloudserve.cli.render.terminal import progress_view

    return click.get_current_context().with_resource(progress_view(print_progress))


def print_progress(line: str) -> None:
    """Print a line of progress on stderr; a closed or full stderr does not stop a release."""
    if is_progress_shown(line):
        context = click.get_current_context(silent=True)
        chosen = context.meta.get(ENVIRONMENT) if context else None
        line = in_environment(line, chosen or "")
        with suppress(OSError):
            print_line(line)


def _pairs(settings: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9_]*", key):
            raise click.BadParameter(f"`{setting}` is not FIELD=VALUE", param_hint="--set")
        pairs[key] = value
    return pairs


def project_for(subject: str, project_file: Path) -> Project | None:
    """Load the project if the subject is neither a URL nor a path.

    Raises ProjectError if the project file cannot be read.
    """
    from cloudserve.golden.subject import GRPC, HTTP

    is_path = Path(subject).exists() or ("/" in subject and "@" not in subject)
    if is_path or subject.startswith((*HTTP, *GRPC)):
        return None
    return load(project_file, ())
