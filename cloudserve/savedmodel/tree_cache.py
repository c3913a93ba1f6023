"""A cache of file digests, so that a model of gigabytes is not read each time.

A digest is reused for a file with the same device, inode, size, modification time and change time.
Nobody can set the change time, so a copy that keeps the modification time is noticed. A file that
was written just before it was hashed is not cached: another write might not change its times. Linux
counts in clock ticks of up to 10 ms, FAT in two seconds.

One file per tree, `~/.cache/cloudserve/digests/SHA256-OF-PATH.json`, replaced atomically: of two
writers the last wins, and the other's digests are computed again. A broken file is ignored. A
folder that others can write to is not used, because a wrong digest would be taken for the model's.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from cloudserve.files import replace_atomically

TICK_NS = 10_000_000
SETTLED_NS = 100_000_000
SETTLED_COARSE_NS = 2_000_000_000
"""The required age of a file whose times are whole ticks, as coarse clocks set them."""
KEPT_SECONDS = 90 * 24 * 3600.0
"""How long the digests of an unused tree are kept."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
logger = logging.getLogger(__name__)


class FileState(NamedTuple):
    """File status that changes when a file is written or replaced."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Return the state in a stat result."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )

    def is_settled(self, now_ns: int) -> bool:
        """Return whether a later write would change the times."""
        is_coarse = self.modified_ns % TICK_NS == 0
        age = now_ns - max(self.modified_ns, self.changed_ns)
        return age > (SETTLED_COARSE_NS if is_coarse else SETTLED_NS)


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    sha256: str


class _File(msgspec.Struct, frozen=True):
    digests: tuple[_Entry, ...]
    schema: int = 1


class DigestCache:
    """The digests in one folder, which is created when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the user's cache by the XDG Base Directory rules; None without a home."""
        xdg, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
        base = Path(xdg) if xdg.startswith("/") else Path(home) / ".cache" if home else None
        return cls(base / "cloudserve" / "digests") if base else None

    def load(self, root: Path) -> dict[FileState, str]:
        """Return the cached digests of a tree's files; empty if they cannot be read."""
        try:
            if not _is_ours(self._folder):
                return {}
            content = msgspec.json.decode(self._path(root).read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError) as error:
            logger.debug("no digests of %s are cached: %s", root, error)
            return {}
        entries = (each for each in content.digests if _SHA256.fullmatch(each.sha256))
        return {FileState(*msgspec.structs.astuple(each)[:-1]): each.sha256 for each in entries}

    def save(self, root: Path, digests: Mapping[FileState, str]) -> None:
        """Store a tree's digests, replacing earlier ones; a failure is only logged."""
        entries = tuple(_Entry(*state, sha256) for state, sha256 in digests.items())
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._folder):
                logger.warning("%s can be written by others, so digests are not kept", self._folder)
                return
            replace_atomically(self._path(root), msgspec.json.encode(_File(entries)), 0o600)
            self._forget_old()
        except OSError as error:
            logger.debug("the digests of %s are not cached: %s", root, error)

    def _path(self, root: Path) -> Path:
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
        return self._folder / f"{name}.json"

    def _forget_old(self) -> None:
        oldest = time.time() - KEPT_SECONDS
        for path in self._folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
