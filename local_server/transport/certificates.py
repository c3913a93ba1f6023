"""Certificates that may be renewed while a server runs: an `ssl_config_file`, read when it changes.

TensorFlow Serving reads it once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cloudserve.errors import CloudserveError, UserError

from .tls import Tls, read_ssl_config, server_context

_logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0

_Stamp = tuple[int, ...]


class Certificates:
    """The certificates of a file (a `TlsSource`). Any thread may ask.

    The file is looked at once a second at most, when a connection comes. One that cannot be used
    then leaves the certificates of before in force, and says so in the log.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises as `read_ssl_config` and `server_context` do."""
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._stamp = _look(path)
        self._tls = read_ssl_config(path)
        server_context(self._tls)
        self._looked = now()

    def current(self) -> Tls:
        """Return the certificates to show now."""
        with self._lock:
            now = self._now()
            if now - self._looked >= _LOOK_SECONDS:
                self._looked = now
                self._refresh()
            return self._tls

    def _refresh(self) -> None:
        stamp = _look(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tls = self._read()
        except CloudserveError as error:
            _logger.error("the certificates of before stay in force: %s", error.message)  # noqa: TRY400  no defect
        else:
            _logger.info("%s is read again", self._path)

    def _read(self) -> Tls:
        tls = read_ssl_config(self._path)
        server_context(tls)
        if tls.verify_clients != self._tls.verify_clients:
            raise UserError(f"{self._path} changes client_verify, which takes a restart")
        return tls


def _look(path: Path) -> _Stamp:
    """Return the state of a file that is or is not there."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
