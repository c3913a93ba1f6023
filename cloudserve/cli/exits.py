"""The exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, as documented in docs/reference/exit-codes.md."""

    OK = 0
    BUG = 1
    USAGE = 2
    MODEL = 3
    REMOTE = 4
    CONFLICT = 5
    CHECK = 6
    PENDING = 10
    INTERRUPTED = 130


CHANGES, ANY_ERROR = 2, 1
"""The exit codes of `cloudserve plan --detailed-exitcode`, which are those of `terraform plan`."""
