"""Discovery of the versions below a base path, by TensorFlow Serving's rules.

A child whose name parses as an int64 is a version, `00000123` and `+123` as well as `123`; others
are ignored.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.modelfiles.files import model_files
from cloudserve.modelfiles.kinds import is_model_file
from cloudserve.savedmodel.versions import is_saved_model

logger = logging.getLogger(__name__)

# absl::SimpleAtoi: a sign, digits, white space around them.
_NUMBER = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_INT64 = range(-(2**63), 2**63)
_UNNAMED = 1

Fingerprint = tuple[tuple[str, int, int], ...]
"""A version's files: name, size and modification time of each."""


def find_versions(base_path: Path) -> dict[int, Path]:
    """Return the versions below a base path; raises OSError if it cannot be listed."""
    versions: dict[int, Path] = {}
    for name in sorted(entry.name for entry in base_path.iterdir()):
        number = _number(name)
        if number is None:
            continue
        if number in versions:
            _warn_of_duplicate(base_path, name, versions[number].name)
        versions[number] = base_path / name
    return versions


def find_versions_or_model(path: Path) -> dict[int, Path]:
    """Return the versions below a base path, or the model at the path itself.

    That is a SavedModel, or a model of one file where there are no versions. Its number is its
    folder's name, or 1. Raises OSError as above.
    """
    if is_model_file(path):
        return {_UNNAMED: path}
    if not is_saved_model(path):
        versions = find_versions(path)
        if versions or not _has_files(path):
            return versions
    number = _number(path.name)
    return {_UNNAMED if number is None else number: path}


def fingerprint(path: Path) -> Fingerprint:
    """Describe a version's files so that any change yields another value.

    A file that disappears during the walk is left out.
    """
    files: list[tuple[str, int, int]] = []
    for file in _files(path):
        with suppress(OSError):
            status = file.stat()
            files.append((str(file.relative_to(path)), status.st_size, status.st_mtime_ns))
    return tuple(sorted(files))


def has_model(path: Path) -> bool:
    """Return whether a version's folder has a model, or its file is one."""
    return is_saved_model(path) or _has_files(path)


def _has_files(path: Path) -> bool:
    try:
        return bool(model_files(path))
    except ModelError:  # the folder cannot be listed, or disappears now: keep watching
        return False


def _files(path: Path) -> Iterator[Path]:
    if is_model_file(path):
        yield path
    for parent, _, names in os.walk(path):
        yield from (Path(parent, name) for name in names)


@lru_cache(maxsize=256)  # a base path is read every second
def _warn_of_duplicate(base_path: Path, taken: str, left: str) -> None:
    logger.warning("%s: %s/ replaces %s/", base_path, taken, left)


def _number(name: str) -> int | None:
    if not _NUMBER.fullmatch(name):
        return None
    number = int(name)
    return number if number in _INT64 else None
