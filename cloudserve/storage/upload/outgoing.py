"""The nouns of an upload: a file, its parts, and one attempt to send them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.savedmodel.tree_cache import State
from cloudserve.storage.contract import Blob, Part
from cloudserve.storage.part_ranges import Span

SHA256 = "cloudserve-sha256"
"""The user metadata that carries a file's digest."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A local file and the key it goes to; `name` is what people are told."""

    name: str
    path: Path
    key: str
    size: int
    metadata: Mapping[str, str]
    """What the object says of its content (`SHA256`): one that says the same is not sent again."""

    def is_like(self, blob: Blob | None) -> bool:
        """Say whether an object, with its metadata, is this file."""
        said = {name.lower(): value for name, value in self.metadata.items()}
        return blob is not None and (blob.size, blob.metadata) == (self.size, said)


@dataclass(slots=True)
class Attempt:
    """One multipart upload of one file, worked on by several threads."""

    file: Outgoing
    upload: str
    spans: tuple[Span, ...]
    there: Mapping[int, Part]
    """What an earlier run left of this upload."""
    state: State
    """The file's when the attempt began: its parts are of one content if it still has that."""
    number: int = 0
    """How many attempts at this file were lost before."""
    over: bool = False
    _done: dict[int, Part] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: Part) -> bool:
        """Keep a part; return True to the one thread that brought the last."""
        with self._lock:
            self._done[part.number] = part
            return len(self._done) == len(self.spans)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts in their order, when all are there."""
        return tuple(self._done[span.number] for span in self.spans)

    def end(self) -> bool:
        """Return True to the one thread that ends the attempt."""
        with self._lock:
            was, self.over = self.over, True
            return not was
