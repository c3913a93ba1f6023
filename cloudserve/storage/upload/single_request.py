"""Files that go up in one request, and what is asked and told of any file that is sent."""

from __future__ import annotations

from cloudserve.storage.contract import PartStore
from cloudserve.storage.events import FileDone
from cloudserve.storage.part_ranges import Span
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.outgoing import Outgoing


class WholeFiles:
    """The files of one transfer; the keys of what is there are added to `sent`."""

    def __init__(self, store: PartStore, transfer: Transfer, sent: list[str]) -> None:
        self._store = store
        self._transfer = transfer
        self._sent = sent

    def is_there(self, file: Outgoing) -> bool:
        """Say whether the object is this file, by its size and what it says of itself."""
        return file.is_like(self._transfer.attempt(file.name, lambda: self._store.head(file.key)))

    def put(self, file: Outgoing) -> None:
        """Send a file in one request."""
        whole = Span(0, 0, file.size)
        meter = self._transfer.meter(file.name, whole)

        def put() -> None:
            with self._transfer.window(file.path, whole, meter) as body:
                self._store.put(file.key, body, file.metadata)

        self._transfer.attempt(file.name, put)
        meter.finish()
        self.finish(file)

    def finish(self, file: Outgoing, *, moved: bool = True) -> None:
        """Note that a file is there because of this transfer."""
        self._sent.append(file.key)
        self._transfer.observe(FileDone(file.name, file.size, moved))
