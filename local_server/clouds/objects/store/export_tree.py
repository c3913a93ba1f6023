"""Export of the objects under a prefix as a directory, which appears atomically.

The offline clouds load their models from such directories.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from .errors import CheckoutError
from .types import ObjectInfo

PathOf = Callable[[ObjectInfo], Path]


def lay_out(
    objects: Iterable[ObjectInfo], prefix: str, into: Path, path_of: PathOf
) -> tuple[int, int]:
    """Make `into` a directory of these objects, named by their keys below a prefix.

    `path_of` returns the path of an object's bytes. Files are hard links where the file system
    has them, otherwise copies; they are read-only. Folders (`ObjectInfo.is_folder`) are left out,
    because an empty directory could be taken for a version. Returns the numbers of files and bytes.
    Raises CheckoutError if `into` exists, there are no objects, or a key is not a valid path below
    it; nothing is left behind then.
    """
    if into.exists():
        raise CheckoutError("The destination already exists", where=str(into))
    into.parent.mkdir(parents=True, exist_ok=True)
    draft = into.with_name(f".{into.name}.{uuid.uuid4().hex}")
    draft.mkdir()
    try:
        laid_out = _fill(draft, objects, prefix, path_of)
        draft.rename(into)
    except BaseException:
        shutil.rmtree(draft)
        raise
    return laid_out


def _fill(
    draft: Path, objects: Iterable[ObjectInfo], prefix: str, path_of: PathOf
) -> tuple[int, int]:
    files = size = 0
    for info in objects:
        if info.is_folder:
            continue
        _place(info, draft, _relative(info, prefix), path_of)
        files += 1
        size += info.size
    if not files:
        raise CheckoutError("There are no objects under this prefix", where=prefix)
    return files, size


def _relative(info: ObjectInfo, prefix: str) -> str:
    relative = info.key.removeprefix(prefix)
    if any(part in {"", ".", ".."} or "\0" in part for part in relative.split("/")):
        raise CheckoutError(
            f"The key {info.key!r} cannot be a file below {prefix!r}",
            where=f"{info.bucket}/{info.key}",
            hint="keys need parts that are neither empty nor '.' nor '..'",
        )
    return relative


def _place(info: ObjectInfo, draft: Path, relative: str, path_of: PathOf) -> None:
    """Link or copy one object into the draft directory."""
    target = draft / PurePosixPath(relative)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(path_of(info), target)
    except (FileExistsError, NotADirectoryError) as error:
        raise CheckoutError(
            f"The key {info.key!r} is both a file and a folder", where=f"{info.bucket}/{info.key}"
        ) from error
    except FileNotFoundError as error:
        raise CheckoutError(
            f"The object {info.key!r} was replaced during the export",
            where=f"{info.bucket}/{info.key}",
            hint="try again",
        ) from error


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copy(source, target)
