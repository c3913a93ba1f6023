"""A file that is read again when it changes, while a server runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cloudserve.errors import CloudserveError

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 1.0

T = TypeVar("T")
Stamp = tuple[int, ...]


class ReloadedFile(Generic[T]):
    """The content of a file, as `read` returns it. Safe for use by several threads.

    `current` checks the file at most once a second. If the changed file cannot be used, the
    previous content is kept and the error is logged. Replace the file by renaming another one
    onto it: a file that is written in place may be read half-way.
    """

    def __init__(
        self,
        path: Path,
        content: str,
        read: Callable[[Path], T],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file; raises as `read` does. `content` names what it holds, for the log."""
        self._path = path
        self._content = content
        self._read = read
        self._now = now
        self._lock = threading.Lock()
        self._stamp = file_stamp(path)
        self._current = read(path)
        self._checked = now()

    def current(self) -> T:
        """Return the content in force."""
        with self._lock:
            now = self._now()
            if now - self._checked >= _CHECK_SECONDS:
                self._checked = now
                self._refresh()
            return self._current

    def _refresh(self) -> None:
        stamp = file_stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._current = self._read(self._path)
        except CloudserveError as error:
            text = "keeping the previous %s: %s: %s"
            logger.error(text, self._content, self._path, error.message)  # noqa: TRY400  no defect
        else:
            logger.info("%s was read again", self._path)


def file_stamp(path: Path) -> Stamp:
    """Return what identifies a version of a file, or the error number if it cannot be read."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
