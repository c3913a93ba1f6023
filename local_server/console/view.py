"""What a view of a server is to the console, and the records that every server has."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

Parts = Mapping[str, object]
"""Records by the name of the event that carries them; msgspec encodes them."""

Tick = Callable[[], Awaitable[Parts]]
"""Returns the parts of this moment. Called once a second, in the loop's thread."""


class View(Protocol):
    """Makes snapshots of a server. It changes nothing."""

    def follow(self) -> Tick:
        """Return a function for one page, which may compare a moment with the one before."""
        ...

    def opened(self, pages: int) -> None:
        """Take the number of pages that follow, whenever it changes."""
        ...

    def detail(self, words: tuple[str, ...]) -> object | None:
        """Return the record at a path of the API; None if it does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """A protocol, and where this server answers it."""

    protocol: str
    url: str


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What does not change while a server runs."""

    kind: str
    """`serve`, `model-server` or `emulate`."""
    version: str
    tensorflow: str
    process: int
    started: float
    """Seconds since the epoch."""
    addresses: tuple[Address, ...] = ()
    metrics: str = ""
    """The path of the metrics page; "" if there is none."""
    has_docs: bool = False
    counts_traffic: bool = False
    records: bool = False
    """Whether requests are recorded in golden files."""
    takes_changes: bool = False
    """Whether a page with the token may change something."""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The process at this moment."""

    resident_bytes: int | None
    threads: int


def tensorflow_version() -> str:
    """Return the version of the installed TensorFlow; "" without one."""
    try:
        return version("tensorflow")
    except PackageNotFoundError:
        return ""


def read_process() -> ProcessFacts:
    """Return what the process uses; the memory to the next megabyte, so that noise is no event."""
    return ProcessFacts(_resident_bytes(), threading.active_count())


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):  # only Linux has it
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") // 10**6 * 10**6
