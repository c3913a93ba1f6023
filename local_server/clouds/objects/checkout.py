"""Objects under a prefix as a directory: what an offline cloud loads a model from.

The directory appears whole, by one rename, or not at all.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from .blobs import BlobDirectory
from .errors import CheckoutError
from .nouns import ObjectInfo


def lay_out(
    objects: Iterable[ObjectInfo], prefix: str, into: Path, blobs: BlobDirectory
) -> tuple[int, int]:
    """Make `into` a directory of these objects, named by their keys below a prefix.

    Files are hard links where the file system allows it, else copies; they are read-only.
    A key that ends in "/" and holds nothing is a folder marker and becomes a directory.
    Returns files and bytes. Raises CheckoutError when `into` exists, there is nothing to lay out,
    or a key cannot be a path below it; then nothing is left behind.
    """
    if into.exists():
        raise CheckoutError("The destination exists already", where=str(into))
    into.parent.mkdir(parents=True, exist_ok=True)
    draft = into.with_name(f".{into.name}.{uuid.uuid4().hex}")
    draft.mkdir()
    try:
        laid_out = _fill(draft, objects, prefix, blobs)
        draft.rename(into)
    except BaseException:
        shutil.rmtree(draft)
        raise
    return laid_out


def _fill(
    draft: Path, objects: Iterable[ObjectInfo], prefix: str, blobs: BlobDirectory
) -> tuple[int, int]:
    files = size = 0
    for info in objects:
        files += _place(info, draft, _relative(info, prefix), blobs)
        size += info.size
    if not files:
        raise CheckoutError("There are no objects under this prefix", where=prefix)
    return files, size


def _relative(info: ObjectInfo, prefix: str) -> str:
    relative = info.key.removeprefix(prefix)
    marker = relative.endswith("/") and info.size == 0
    parts = (relative.removesuffix("/") if marker else relative).split("/")
    if relative and any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise CheckoutError(
            f"The key {info.key!r} cannot be a file below {prefix!r}",
            where=f"{info.bucket}/{info.key}",
            hint="keys need parts that are neither empty nor '.' nor '..'",
        )
    return relative


def _place(info: ObjectInfo, draft: Path, relative: str, blobs: BlobDirectory) -> int:
    """Put one object into the draft and return how many files that made."""
    target = draft / PurePosixPath(relative)
    try:
        if relative.endswith("/") or not relative:
            target.mkdir(parents=True, exist_ok=True)
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(blobs.path(info.address), target)
    except (FileExistsError, NotADirectoryError) as error:
        raise CheckoutError(
            f"The key {info.key!r} is both a file and a folder", where=f"{info.bucket}/{info.key}"
        ) from error
    except FileNotFoundError as error:
        raise CheckoutError(
            f"The object {info.key!r} was replaced meanwhile",
            where=f"{info.bucket}/{info.key}",
            hint="try again",
        ) from error
    return 1


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copy(source, target)
