"""Commands that the offline clouds run instead of custom container images.

A target of the project file (`rehearse: {command: …}`) or an option of `cloudserve emulate`
(`--rehearse IMAGE=COMMAND`) names a command. A request to the emulator cannot name one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cloudserve.errors import ProjectError, UserError
from cloudserve.project import Field, Project

FIELD = "rehearse"
COMMAND = "command"
_HINT = "rehearse:\n  command: python server.py"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The command that replaces the ENTRYPOINT of an image on this machine."""

    command: tuple[str, ...]
    """The words of the command; `$(NAME)` is replaced by a variable of the container."""
    folder: Path
    """The working directory of the command."""


NO_REHEARSALS: Mapping[str, Rehearsal] = MappingProxyType({})


def read_command(text: Field, where: str) -> tuple[str, ...]:
    """Split a command into words like a shell; raises ProjectError for an invalid command."""
    if not isinstance(text, str):
        raise ProjectError(f"`{COMMAND}` must be text, not `{text}`", where=where, hint=_HINT)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ProjectError(
            f"`{text}` is not a command: {error}", where=where, hint="close all quotation marks"
        ) from error
    if not words:
        raise ProjectError(f"`{COMMAND}` is empty", where=where, hint=_HINT)
    return words


def read_field(value: Field, where: str) -> tuple[str, ...]:
    """Return the command of a target's `rehearse`, () if it has none; raises ProjectError."""
    if value is None or value == {}:
        return ()
    if not isinstance(value, Mapping) or set(value) != {COMMAND}:
        raise ProjectError(f"`{FIELD}` must only have a `{COMMAND}`", where=where, hint=_HINT)
    return read_command(value[COMMAND], f"{where}.{COMMAND}")


def of_project(project: Project) -> dict[str, Rehearsal]:
    """Return the commands of a project's targets by image; raises ProjectError."""
    rehearsals: dict[str, Rehearsal] = {}
    folder = project.path.parent.absolute()
    for target in project.targets.values():
        where = target.where_of(FIELD)
        command, image = read_field(target.fields.get(FIELD), where), target.fields.get("image")
        if not command:
            continue
        if not isinstance(image, str) or not image:
            raise ProjectError(
                f"`{FIELD}` without an `image`",
                where=where,
                hint="name the image that the command replaces",
            )
        other = rehearsals.setdefault(image, Rehearsal(command, folder))
        if other.command != command:
            raise ProjectError(
                f"another target has another command for the image {image}",
                where=where,
                hint="use one command for both: the offline clouds identify an image by its name",
            )
    return rehearsals


def of_options(options: Iterable[str], folder: Path) -> dict[str, Rehearsal]:
    """Return the commands of `IMAGE=COMMAND` options by image; raises UserError."""
    rehearsals = {}
    for text in options:
        image, equals, command = text.partition("=")
        where = f"--rehearse {image}=…"
        if not image or not equals:
            raise UserError(
                f"`{text}` is not IMAGE=COMMAND",
                where="--rehearse",
                hint='write --rehearse "REGISTRY/REPOSITORY:TAG=python server.py"',
            )
        rehearsals[image] = Rehearsal(read_command(command, where), folder.absolute())
    return rehearsals
