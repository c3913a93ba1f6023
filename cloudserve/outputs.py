"""Files that a user names for a command's result: what may be replaced by it.

A result replaces an earlier result of its kind and an empty file. Another file is not what the
command was asked to change: a slip in its name must not cost a project file or the requests.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from cloudserve.errors import ConflictError, UserError

GOLDEN = re.compile(rb'\{"golden":')
PLAN = re.compile(rb'\{\s*"plan":')
REPORT = re.compile(
    rb'\{\s*"operation":|# \w+ \S+ v\d+-[0-9a-f]{12} on |<\?xml[^>]*>\s*<testsuites?\b'
)
PAGE = re.compile(rb'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name')
_URL = re.compile(r"(s3|gs|file|https?|models|runs):/+")
"""A URL, whose slashes `Path` makes one."""
_BEGINNING = 512
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")


def check_output(path: Path, kind: re.Pattern[bytes], what: str) -> None:
    """Raise ConflictError if a result would replace a file of another kind, or be in a model.

    `kind` matches the beginning of a result of the kind, `what` names it. Raises UserError for a
    place that cannot be written, which a command must not find out after its work.
    """
    check_outside_models(path, what)
    _check_place(path, what)
    beginning = _beginning(path)
    if beginning and not kind.match(beginning):
        raise ConflictError(
            f"{path.name} exists and is not {what}",
            where=str(path),
            hint="name another file, or remove this one first",
        )


def _check_place(path: Path, what: str) -> None:
    folder = path.parent
    if not folder.is_dir():
        problem = f"there is no folder `{folder}`"
        hint = f"mkdir -p {shlex.quote(str(folder))}"
    elif not is_replaceable(path):
        problem, hint = f"`{path.name}` is not a file", "name a file"
    elif not os.access(folder, os.W_OK):
        problem, hint = "Permission denied", "name a file in a folder that you may write to"
    else:
        return
    raise UserError(f"{what} cannot be written: {problem}", where=str(path), hint=hint)


def is_replaceable(path: Path) -> bool:
    """Return whether a path is a file or nothing.

    Replacing a device such as /dev/stdout would take it from every program.
    """
    return os.path.isfile(path) or not os.path.lexists(path)  # noqa: PTH113  a long name is no error


def check_outside_models(path: Path, what: str) -> None:
    """Raise ConflictError if a new file or folder would be in a model, whose digest would change.

    `what` names it. Raises UserError for a URL: results are written to this machine, and a folder
    `s3:` is not what the user means.
    """
    if _URL.match(str(path)):
        url = _URL.sub(r"\1://", str(path))
        hint = "name a path of this machine, and copy it from there"
        raise UserError(f"{what} cannot be written to a URL", where=url, hint=hint)
    folder = path.parent.resolve()
    for parent in (folder, *folder.parents):
        if any((parent / name).is_file() for name in _SAVED_MODEL):
            raise ConflictError(
                f"{what} would be part of the model {parent.name}, whose digest would change",
                where=str(path),
                hint="name a path outside the model's folder",
            )


def _beginning(path: Path) -> bytes:
    """Return the first bytes of a file; none if it is new or cannot be read."""
    if not os.path.isfile(path):  # noqa: PTH113  as above; reading a pipe would block
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_BEGINNING)
    except OSError:  # the write says why
        return b""
