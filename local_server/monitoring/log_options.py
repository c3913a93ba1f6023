"""What is logged of requests, and how much is kept. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

_MEBIBYTE = 2**20

LEAST_LOG_BYTES = _MEBIBYTE
"""Less than this is no log."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How large a log gets. A file of no more than 1000 records may warm a version up."""

    total_bytes: int = 1024 * _MEBIBYTE
    file_bytes: int = 64 * _MEBIBYTE
    file_records: int = 1000

    @property
    def one_file(self) -> int:
        """Return the most bytes of a file: of the whole log there are always two at least."""
        return min(self.file_bytes, self.total_bytes // 2)


@dataclass(frozen=True, slots=True)
class RequestLogOptions:
    """What is logged of models whose configuration says nothing of it, and how much is kept."""

    directory: Path | None = None
    """Where such models' files go; None for nowhere."""
    sampling_rate: float = 1.0
    limits: LogLimits = field(default_factory=LogLimits)
    """Of each model's files; each prefix belongs to one server."""
    queue_records: int = 1000
    queue_bytes: int = 64 * _MEBIBYTE
    """How much may wait to be written, beyond which requests are dropped."""
