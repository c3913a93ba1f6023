"""File access that raises ModelError, and tests of paths that never raise."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.plural import counted

UNREADABLE = "check its permissions, and the disk"
MOST_PROTOBUF_BYTES = 2**31 - 1
"""The most bytes of a message that protobuf parses (its sizes are `int`s)."""


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False for impossible names."""
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on names that are too long)


def is_directory(path: Path) -> bool:
    """Return whether a path is a directory; False for impossible names."""
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises on names that are too long)


def file_size(path: Path) -> int | None:
    """Return the size of a regular file, or None if it does not exist or is not accessible."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def read_file(root: Path, name: str) -> bytes:
    """Return a file's bytes. Raises ModelError if the system refuses."""
    try:
        return (root / name).read_bytes()
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise ModelError(message, where=str(root), hint=UNREADABLE) from error


def check_protobuf_size(root: Path, name: str) -> None:
    """Raise ModelError for a file that is too large to be one protobuf, before it is read."""
    size = file_size(root / name) or 0
    if size > MOST_PROTOBUF_BYTES:
        raise ModelError(
            f"{name} has {counted(size, 'byte')}, and a protobuf has less than 2 GB",
            where=str(root),
            hint="keep the weights in variables, not in the graph",
        )


def list_names(directory: Path) -> list[str]:
    """Return the names in a directory, sorted. Raises ModelError if the system refuses."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 (only the names)
    except OSError as error:
        message = f"the directory cannot be listed: {error.strerror}"
        raise ModelError(message, where=str(directory), hint=UNREADABLE) from error
