"""Local files on their way to a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import ModelError


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise ModelError if a model's file turns out not to be readable while it is sent."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"the file cannot be read: {error.strerror or error}", where=str(path)
        ) from error
