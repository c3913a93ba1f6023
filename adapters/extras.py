"""Turn a missing optional package into a sentence that says what to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloudserve.errors import MissingExtraError


@contextmanager
def extra(what: str, name: str) -> Iterator[None]:
    """Guard the imports of an SDK; raises MissingExtraError naming the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cloudserve"):  # ours: a bug, not a missing extra
            raise
        raise MissingExtraError(what, name) from error
