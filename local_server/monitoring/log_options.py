"""Options of the request log. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

_MEBIBYTE = 2**20

LEAST_LOG_BYTES = _MEBIBYTE
"""The smallest size of a log."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """The limits of a log. A file of at most 1000 records can warm up a version."""

    total_bytes: int = 1024 * _MEBIBYTE
    file_bytes: int = 64 * _MEBIBYTE
    file_records: int = 1000

    @property
    def one_file(self) -> int:
        """Return the size limit of a file: a log has at least two."""
        return min(self.file_bytes, self.total_bytes // 2)


@dataclass(frozen=True, slots=True)
class RequestLogOptions:
    """Logging of models whose configuration does not configure it, and the limits of all logs."""

    directory: Path | None = None
    """The directory of such models' files; None disables their log."""
    sampling_rate: float = 1.0
    limits: LogLimits = field(default_factory=LogLimits)
    """Limits of each model's files; each prefix belongs to one server."""
    queue_records: int = 1000
    queue_bytes: int = 64 * _MEBIBYTE
    """The size of the queue; past it requests are dropped."""
