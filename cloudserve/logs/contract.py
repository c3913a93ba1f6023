"""The contract of a provider whose platform keeps the output of containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, or one message of several lines, of a container."""

    time: datetime
    """In UTC."""
    source: str
    """What wrote it, as the platform names it: `v2-0f3c5a9b7d21/i-0a1b2c3d`."""
    text: str
    id: str
    """The platform's identity of the line."""
    severity: str = ""
    """`ERROR`, `INFO`; "" where the platform keeps none."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines to read."""

    since: datetime
    """In UTC; a line of exactly this time is included."""
    contains: str = ""
    """A text that the lines have, as it is written; "" for all lines."""
    job: str = ""
    """The name of a batch job, whose lines are read instead of the endpoint's."""


@runtime_checkable
class LoggingProvider(Protocol):
    """A provider that reads the output of a model's containers."""

    def read_logs(self, model: str, query: LogQuery) -> Sequence[LogLine]:
        """Return the lines in the order of their times; () if nothing was logged.

        A line may appear some seconds after its time. Raises ConflictError for the endpoint of
        another owner, UserError for a job that is not the target's, RemoteError.
        """
        ...
