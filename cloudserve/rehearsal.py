"""Commands that the offline clouds run in the place of container images of the user's own.

A command is named by a target of the project file (`rehearse: {command: …}`) or by an option of
`cloudserve emulate` (`--rehearse IMAGE=COMMAND`). It never comes over the network: a request to the
emulator cannot name one.
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
    """What runs for an image: its ENTRYPOINT on this machine."""

    command: tuple[str, ...]
    """Words as a shell would split them; `$(NAME)` stands for a variable of the container."""
    folder: Path
    """Where it runs: relative paths in it are relative to this folder."""


NO_REHEARSALS: Mapping[str, Rehearsal] = MappingProxyType({})


def read_command(text: Field, where: str) -> tuple[str, ...]:
    """Return a command's words; raises ProjectError for what is no command."""
    if not isinstance(text, str):
        raise ProjectError(f"`{COMMAND}` must be text, not `{text}`", where=where, hint=_HINT)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ProjectError(f"`{text}` is no command: {error}", where=where) from error
    if not words:
        raise ProjectError(f"`{COMMAND}` is empty", where=where, hint=_HINT)
    return words


def read_field(value: Field, where: str) -> tuple[str, ...]:
    """Return the command of a target's `rehearse`, () where it has none; raises ProjectError."""
    if value is None or value == {}:
        return ()
    if not isinstance(value, Mapping) or set(value) != {COMMAND}:
        raise ProjectError(f"`{FIELD}` must have a `{COMMAND}` alone", where=where, hint=_HINT)
    return read_command(value[COMMAND], f"{where}.{COMMAND}")


def of_project(project: Project) -> dict[str, Rehearsal]:
    """Return the commands of a project's targets by image; raises ProjectError."""
    found: dict[str, Rehearsal] = {}
    folder = project.path.parent.absolute()
    for target in project.targets.values():
        where = f"{target.where}.{FIELD}"
        command, image = read_field(target.fields.get(FIELD), where), target.fields.get("image")
        if not command:
            continue
        if not isinstance(image, str) or not image:
            raise ProjectError(
                f"`{FIELD}` without an `image`",
                where=where,
                hint="name the image that the command stands for",
            )
        other = found.setdefault(image, Rehearsal(command, folder))
        if other.command != command:
            raise ProjectError(
                f"another target has another command for the image {image}",
                where=where,
                hint="give both the same: the offline clouds know an image by its name alone",
            )
    return found


def of_options(given: Iterable[str], folder: Path) -> dict[str, Rehearsal]:
    """Return the commands of `IMAGE=COMMAND` options by image; raises UserError."""
    found = {}
    for text in given:
        image, equals, command = text.partition("=")
        where = f"--rehearse {image}=…"
        if not image or not equals:
            raise UserError(f"`{text}` is not IMAGE=COMMAND", where="--rehearse")
        found[image] = Rehearsal(read_command(command, where), folder.absolute())
    return found
