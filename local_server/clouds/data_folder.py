"""The emulator's folder: one emulator at a time, private, removed at the end when temporary."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

from cloudserve.errors import UserError


class DataFolder:
    """A locked folder; `open` it before use, `close` it after.

    The lock is the kernel's (flock), so that a killed emulator leaves none behind.
    """

    def __init__(self, path: Path | None) -> None:
        self._wanted = path
        self._lock: IO[bytes] | None = None
        self.path = path or Path()

    def open(self) -> Path:
        """Create and lock the folder; raises UserError when another emulator has it."""
        # Absolute: processes that run models' code stand in other directories.
        self.path = (self._wanted or Path(tempfile.mkdtemp(prefix="cloudserve-"))).absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("ab")
        except OSError as error:
            raise UserError(
                f"the data directory cannot be used: {error.strerror}",
                where=str(self.path),
                hint="give --data a directory that you may write to",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise UserError(
                "another emulator uses this data directory",
                where=str(self.path),
                hint="stop it, or start with another --data directory",
            ) from error
        return self.path

    def close(self) -> None:
        """Release the lock; remove the folder when it was a temporary one."""
        if self._lock is None:
            return
        self._lock.close()
        self._lock = None
        if self._wanted is None:
            shutil.rmtree(self.path, ignore_errors=True)
