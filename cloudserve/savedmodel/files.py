"""File access whose failures are ModelErrors, and questions about paths that never fail."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cloudserve.errors import ModelError

UNREADABLE = "look at who may read it, and at the disk"


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; no for names that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on names that are too long)


def is_directory(path: Path) -> bool:
    """Return whether a path is a directory; no for names that no directory can have."""
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises on names that are too long)


def file_size(path: Path) -> int | None:
    """Return the bytes of a regular file, or None when there is none that can be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def read_file(root: Path, name: str) -> bytes:
    """Return a file's bytes. Raises ModelError when the system refuses."""
    try:
        return (root / name).read_bytes()
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise ModelError(message, where=str(root), hint=UNREADABLE) from error


def list_names(directory: Path) -> list[str]:
    """Return the names in a directory, sorted. Raises ModelError when the system refuses."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 (only the names)
    except OSError as error:
        message = f"the directory cannot be listed: {error.strerror}"
        raise ModelError(message, where=str(directory), hint=UNREADABLE) from error
