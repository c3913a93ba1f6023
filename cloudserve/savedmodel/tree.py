"""The files of a directory and one digest over all of them.

The digest is the SHA-256 of this canonical UTF-8 text: the line `cloudserve-tree-1`, then for each
file, in the byte order of the paths,

    PATH NUL SIZE NUL SHA256 LF

with the path relative and with "/", the size in decimal, the file's SHA-256 in lower-case hex. A
path cannot contain NUL, so no two trees have the same text. Times, owners and modes are ignored.

Every regular file counts, even a hidden one. A symbolic link counts as its target, which must be
inside the tree. Empty directories are ignored, because object stores have none.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel.files import UNREADABLE, is_directory
from cloudserve.savedmodel.tree_cache import DigestCache, FileState

_FORMAT = "cloudserve-tree-1\n"
_THREADS = 4  # hashing releases the GIL; more threads than this outrun common disks


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file: its path relative to the tree, with "/"; its size in bytes; its SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a directory in the byte order of their paths, and the digest over them (hex)."""

    files: tuple[FileEntry, ...]
    digest: str

    @property
    def size(self) -> int:
        """Return the total size in bytes."""
        return sum(file.size for file in self.files)


def read_tree(path: Path | str, cache: DigestCache | None = None) -> Tree:
    """Read and hash all files below a directory, except those whose digest is in `cache`.

    The result is a snapshot: raises ModelError if a file is written or removed concurrently, as far
    as inode, size and times show. Raises it too for a link that leads out of the tree or in a
    circle, for an entry that is neither a file nor a directory, for unreadable files, and for names
    that are not UTF-8.
    """
    root = Path(path)
    started = time.time_ns()
    before = find_files(root)
    known = cache.load(root) if cache else {}
    unknown = sorted(name for name, state in before.items() if state not in known)
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes = pool.map(lambda name: _hash(root, name), unknown)
        known |= {before[name]: sha256 for name, sha256 in zip(unknown, hashes, strict=True)}
    _check_unchanged(root, before)
    if cache and unknown:
        settled = (state for state in before.values() if state.is_settled(started))
        cache.save(root, {state: known[state] for state in settled})
    files = tuple(
        FileEntry(name, before[name].size, known[before[name]]) for name in sorted(before)
    )
    return Tree(files, digest(files))


def digest(files: tuple[FileEntry, ...]) -> str:
    """Return the digest of a tree with these files, in any order."""
    lines = (f"{f.path}\0{f.size}\0{f.sha256}\n" for f in sorted(files, key=lambda f: f.path))
    return hashlib.sha256((_FORMAT + "".join(lines)).encode()).hexdigest()


def find_files(root: Path) -> dict[str, FileState]:
    """Return the state of all files below a directory by path; raises ModelError as `read_tree`."""
    if not is_directory(root):
        raise ModelError(
            "there is no such directory",
            where=str(root),
            hint="give the directory that holds saved_model.pb",
        )
    return dict(_walk(root, root.resolve()))


def _check_unchanged(root: Path, before: dict[str, FileState]) -> None:
    changed = before.items() ^ find_files(root).items()
    if changed:
        raise ModelError(
            f"{min(changed)[0]} was written or removed while the directory was read",
            where=str(root),
            hint="wait until the model is written, then try again",
        )


def _walk(root: Path, top: Path) -> Iterator[tuple[str, FileState]]:
    """Yield the files below `top`, the real path of `root`; links inside it are followed."""
    pending: list[tuple[str, tuple[Path, ...]]] = [("", (top,))]
    while pending:
        below, above = pending.pop()
        for name in _names(root, below):
            real = _real_path(root, name, top)
            status = _status(root, name)
            if stat.S_ISREG(status.st_mode):
                yield name, FileState.of(status)
                continue
            if not stat.S_ISDIR(status.st_mode):
                message = f"{name} is neither a file nor a directory"
                raise ModelError(message, where=str(root), hint="remove it from the model")
            if real in above:
                message = f"the link {name} leads in a circle"
                raise ModelError(message, where=str(root), hint="remove the link")
            pending.append((f"{name}/", (*above, real)))


def _names(root: Path, below: str) -> list[str]:
    try:
        names = [f"{below}{name}" for name in os.listdir(root / below)]  # noqa: PTH208 (names only)
    except OSError as error:
        raise _unreadable(root, below or ".", error) from error
    for name in names:
        _check_utf8(root, name)
    return names


def _status(root: Path, name: str) -> os.stat_result:
    try:
        return (root / name).stat()
    except OSError as error:
        raise _unreadable(root, name, error) from error


def _check_utf8(root: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"the name {name!a} is not UTF-8"
        raise ModelError(message, where=str(root), hint="rename the file") from error


def _real_path(root: Path, name: str, top: Path) -> Path:
    try:
        real = (root / name).resolve(strict=True)
    except PermissionError as error:
        raise _unreadable(root, name, error) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        raise ModelError(
            f"{name} is a dangling link, or vanished while the directory was read",
            where=str(root),
            hint="replace the link by the file, or remove it",
        ) from error
    if not real.is_relative_to(top):
        raise ModelError(
            f"the link {name} leads out of the directory",
            where=str(root),
            hint="replace the link by its target",
        )
    return real


def _hash(root: Path, name: str) -> str:
    try:
        with (root / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(root, name, error) from error


def _unreadable(root: Path, name: str, error: OSError) -> ModelError:
    message = f"{name} cannot be read: {error.strerror}"
    return ModelError(message, where=str(root), hint=UNREADABLE)
