"""The choice of a version: a SavedModel directory, or a base path with `NUMBER/` directories.

TensorFlow Serving's rule: a directory whose name is a decimal int64 is a version, even with leading
zeros (`00000123` is 123), and the highest one is served. Other entries are ignored.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cloudserve.errors import ModelError, UserError
from cloudserve.hints import choose_from
from cloudserve.savedmodel.files import is_directory, is_file, list_names
from cloudserve.savedmodel.other_formats import recognize

MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
"""Forms of a SavedModel's file: binary, text, and chunked (beyond 2 GB)."""

_HINT = "give the directory that holds saved_model.pb, or the one above its versions"
_NUMBER = re.compile(r"[0-9]+")
_LARGEST = 2**63 - 1
_NUMBER_IF_UNNAMED = 1


def is_saved_model(path: Path) -> bool:
    """Return whether a directory holds a SavedModel's file in any form."""
    return any(is_file(path / name) for name in MODEL_FILES)


def list_versions(base_path: Path) -> dict[int, Path]:
    """Return the version directories below a base path by number, ascending.

    Raises ModelError if two directories have the same number.
    """
    versions: dict[int, Path] = {}
    for name in list_names(base_path) if is_directory(base_path) else ():
        number, entry = _number(name), base_path / name
        if number is None or not is_directory(entry):
            continue
        if number in versions:
            names = f"{versions[number].name}/ and {entry.name}/"
            raise ModelError(
                f"{names} are both version {number}",
                where=str(base_path),
                hint="rename or remove one of them",
            )
        versions[number] = entry
    return dict(sorted(versions.items()))


def resolve(path: Path | str, number: int | None = None) -> tuple[int, Path]:
    """Return a version's number and its SavedModel directory.

    A SavedModel directory is numbered by its name; with any other name it is `number`, or 1. In a
    base path the version `number` is chosen, or the highest. Raises ModelError if there is no
    SavedModel or version, UserError if there is no version `number`. Does not read the SavedModel.
    """
    path = Path(path)
    if is_saved_model(path):
        return _resolve_saved_model(path, number), path
    versions = list_versions(path)
    if not versions:
        kind, hint = recognize(path)
        raise ModelError(
            f"neither a SavedModel nor NUMBER/ directories of them: {kind or _contents(path)}",
            where=str(path),
            hint=hint
            or "give the directory that holds saved_model.pb, or the one above its versions",
        )
    chosen = max(versions) if number is None else number
    if chosen not in versions:
        raise UserError(
            f"there is no version {chosen}", where=str(path), hint=choose_from(versions)
        )
    return chosen, versions[chosen]


def _resolve_saved_model(path: Path, number: int | None) -> int:
    own = _own_number(path)
    if own is None:
        return _NUMBER_IF_UNNAMED if number is None else number
    if number not in {None, own}:
        raise UserError(
            f"the SavedModel is version {own}, not {number}",
            where=str(path),
            hint=f"give {path.parent} to choose among its versions",
        )
    return own


def _own_number(path: Path) -> int | None:
    """Return the number in the name as given, or else in the resolved name (`.`, a symlink)."""
    own = _number(path.name)
    return _number(path.resolve().name) if own is None else own


def _number(name: str) -> int | None:
    number = int(name) if _NUMBER.fullmatch(name) else _LARGEST + 1
    return number if number <= _LARGEST else None


def _contents(path: Path) -> str:
    if is_file(path):
        return "it is a file of another kind" if path.stat().st_size else "it is an empty file"
    if not is_directory(path):
        exists = os.path.exists(path)  # noqa: PTH110  a name with a NUL is not an error
        return "it is a device or a pipe" if exists else "there is no such directory"
    return "the directory has other entries" if list_names(path) else "the directory is empty"
