"""A configuration file that is looked at again and again, and read when it has changed."""

from __future__ import annotations

from pathlib import Path

from ..status import StatusError
from .messages import model_server_config
from .model_config import ModelServerConfig, read_config
from .textproto import parse_text_file


class ConfigFile:
    """A `ModelServerConfig` in text form. For one thread at a time.

    A file that cannot be taken is parsed, and the place of the error logged, once for each state of
    the file; the error is raised at each look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._read: ModelServerConfig | StatusError = ModelServerConfig(is_given=False)

    def read(self) -> ModelServerConfig:
        """Return the configuration; raises as `parse_text_file` and `read_config` do."""
        stamp = _look(self._path)
        if stamp != self._stamp:
            self._read = self._parse()
            self._stamp = stamp
        if isinstance(self._read, StatusError):
            # Without the frames of the last time, which would pile up.
            raise self._read.with_traceback(None)
        return self._read

    def _parse(self) -> ModelServerConfig | StatusError:
        try:
            return read_config(parse_text_file(self._path, model_server_config()))
        except StatusError as error:
            return error


def _look(path: Path) -> tuple[int, ...]:
    """Return the state of a file that is or is not there."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
