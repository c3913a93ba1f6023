"""The emulator's data folder: private, locked by one emulator, and removed if it is temporary."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO

from cloudserve.errors import UserError
from cloudserve.files import try_lock
from cloudserve.hints import printable

DATABASE = "clouds.db"
"""The file that tells a data folder from any other folder."""
_LOCK = ".lock"
_BEFORE = frozenset({"emulator.log", "emulator.json"})
"""Files that a start writes before the database; it may have been killed in between."""
_OF_VOLUMES = "lost+found"
"""The folder that a file system has by itself: a container's volume is an empty data folder."""


class DataFolder:
    """A locked folder; `open` it before use, `close` it after.

    The kernel holds the lock (flock), so a killed emulator leaves no lock behind.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None
        self.path = path or Path()

    def open(self) -> Path:
        """Create and lock the folder; raises UserError if it is another emulator's.

        Raises UserError also for a folder of other files: the emulator empties folders of its own
        in it, whose names (`containers`, `served`, `vertex`) a project may have, too.
        """
        # Absolute: processes that run models' code have other working directories.
        self.path = (self._path or Path(tempfile.mkdtemp(prefix="cloudserve-"))).absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_others()
            self._lock = (self.path / _LOCK).open("ab")
        except OSError as error:
            raise UserError(
                f"the data directory cannot be used: {error.strerror}",
                where=str(self.path),
                hint="give --data a directory that you may write to",
            ) from error
        if not try_lock(self._lock):
            self._lock.close()
            raise UserError(
                "another emulator uses this data directory",
                where=str(self.path),
                hint="stop it, or start with another --data directory",
            )
        return self.path

    def _refuse_others(self) -> None:
        # A folder that a repository keeps for the data has a `.gitignore` or a `.gitkeep`.
        names = {entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")}
        entries = names - _BEFORE - {_OF_VOLUMES}
        if entries and DATABASE not in entries:
            raise UserError(
                f"the data directory has files of others, such as {printable(min(entries))}",
                where=str(self.path),
                hint="give --data a new or an empty directory, such as .cloudserve",
            )

    def close(self) -> None:
        """Release the lock; remove a temporary folder."""
        if self._lock is None:
            return
        self._lock.close()
        self._lock = None
        if self._path is None:
            shutil.rmtree(self.path, ignore_errors=True)
