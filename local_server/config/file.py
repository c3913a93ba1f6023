"""A configuration file that is parsed again when it has changed."""

from __future__ import annotations

from pathlib import Path

from ..reloaded_file import Stamp, file_stamp
from ..status import StatusError
from .model_config import ModelServerConfig, model_server_config, read_config
from .textproto import parse_text_file


class ConfigFile:
    """A `ModelServerConfig` in text form. For one thread at a time.

    An invalid file is parsed and its error logged once per change of the file; the error is raised
    by each read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._read: ModelServerConfig | StatusError = ModelServerConfig(is_given=False)

    def read(self) -> ModelServerConfig:
        """Return the configuration; raises as `parse_text_file` and `read_config` do."""
        stamp = file_stamp(self._path)
        if stamp != self._stamp:
            self._read = self._parse()
            self._stamp = stamp
        if isinstance(self._read, StatusError):
            # Without the frames of earlier raises, which would accumulate.
            raise self._read.with_traceback(None)
        return self._read

    def _parse(self) -> ModelServerConfig | StatusError:
        try:
            return read_config(parse_text_file(self._path, model_server_config()))
        except StatusError as error:
            return error
