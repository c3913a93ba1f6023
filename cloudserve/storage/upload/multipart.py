"""Files that go up in parts, and go on where an earlier run was interrupted.

The service itself remembers how far an upload came: the next run, in whatever process and on
whatever machine, asks for the key's upload under way and compares its parts by checksum with the
file. So there is no state file to lose, and a part is taken over only if it is the same bytes.

Two who send the same file at once may share an upload. Whoever completes it first wins; the other
finds the upload gone, sees the whole object, and is done too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from cloudserve.errors import ModelError, RemoteError
from cloudserve.savedmodel.tree_cache import State
from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import Meter, Skipped
from cloudserve.storage.part_ranges import Span, spans
from cloudserve.storage.pool import Task
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.file_slice import Window, unreadable
from cloudserve.storage.upload.outgoing import Attempt, Outgoing
from cloudserve.storage.upload.single_request import WholeFiles

RESTARTS = 3
"""How often a file is begun anew when others take its upload away."""

log = logging.getLogger(__name__)


def find_upload(
    store: PartStore, transfer: Transfer, name: str, key: str
) -> tuple[str | None, Mapping[int, Part]]:
    """Return the newest upload of a key under way, None if there is none, and its parts."""
    for upload in transfer.attempt(name, lambda: store.open_uploads(key)):
        try:
            parts = transfer.attempt(name, partial(store.parts, key, upload))
        except UploadGoneError:
            continue
        return upload, {part.number: part for part in parts}
    return None, {}


def taken_over(store: PartStore, part: Part | None, body: Window) -> Part | None:
    """Return a part that a service listed, if it did and the part is these bytes."""
    return store.take_over(part, body) if part and part.size == body.size else None


def _state_of(file: Outgoing) -> State:
    try:
        return State.of(file.path.stat())
    except OSError as error:
        raise unreadable(file.path, error) from error


def taken_away(store: PartStore, name: str, key: str) -> RemoteError:
    """Return the error of an upload that others have ended each time it was begun."""
    return RemoteError(
        f"the upload of {name} was taken away {RESTARTS + 1} times",
        where=f"{store.url}/{key}",
        hint="let the other upload to this place end, then run the same command again",
    )


class Multipart:
    """The multipart uploads of one transfer."""

    def __init__(self, store: PartStore, transfer: Transfer, files: WholeFiles) -> None:
        self._store = store
        self._transfer = transfer
        self._files = files

    def begin(self, file: Outgoing, number: int = 0) -> Sequence[Task]:
        """Return what sends a file's parts; where a service takes none, send the file whole.

        `number` counts the attempts that were lost before.
        """
        state = _state_of(file)
        # A second attempt takes over nothing: what was there may be what went wrong.
        upload, there = self._find(file) if number == 0 else (None, {})
        if upload is None:
            upload = self._transfer.attempt(
                file.name, lambda: self._store.begin(file.key, file.metadata)
            )
        if upload is None:
            self._files.put(file)
            return ()
        pieces = spans(file.size, self._transfer.part)
        attempt = Attempt(file, upload, pieces, there, state, number)
        return [partial(self._part_of, attempt, span) for span in attempt.spans]

    def _find(self, file: Outgoing) -> tuple[str | None, Mapping[int, Part]]:
        return find_upload(self._store, self._transfer, file.name, file.key)

    def _part_of(self, attempt: Attempt, span: Span) -> Sequence[Task]:
        if attempt.over:
            return ()
        meter = self._transfer.meter(attempt.file.name, span)
        try:
            part = self._taken_over(attempt, span)
            if part is not None:
                meter.finish(Skipped)
            else:
                part = self._sent(attempt, span, meter)
            return self._complete(attempt) if attempt.add(part) else ()
        except UploadGoneError:
            return self._lost(attempt)

    def _taken_over(self, attempt: Attempt, span: Span) -> Part | None:
        with self._transfer.window(attempt.file.path, span) as body:
            return taken_over(self._store, attempt.there.get(span.number), body)

    def _sent(self, attempt: Attempt, span: Span, meter: Meter) -> Part:
        file = attempt.file

        def send() -> Part:
            with self._transfer.window(file.path, span, meter) as body:
                return self._store.send_part(file.key, attempt.upload, span.number, body)

        part = self._transfer.attempt(file.name, send)
        meter.finish()
        return part

    def _complete(self, attempt: Attempt) -> Sequence[Task]:
        file = attempt.file
        if _state_of(file) != attempt.state:
            raise ModelError(
                "the file was written while it was sent",
                where=str(file.path),
                hint="let the export finish, then try again",
            )
        self._transfer.attempt(
            file.name, lambda: self._store.complete(file.key, attempt.upload, attempt.parts)
        )
        # What was taken over may have been begun for another content, and says so in its metadata.
        if not self._files.is_there(file):
            return self._lost(attempt)
        attempt.end()
        self._free_others(file)
        self._files.finish(file)
        return ()

    def _lost(self, attempt: Attempt) -> Sequence[Task]:
        """Go on after somebody else completed or aborted the upload."""
        file = attempt.file
        if not attempt.end():
            return ()  # another thread has seen to it
        if self._files.is_there(file):
            self._files.finish(file)
            return ()
        if attempt.number == RESTARTS:
            raise taken_away(self._store, file.name, file.key)
        return self.begin(file, attempt.number + 1)

    def _free_others(self, file: Outgoing) -> None:
        """Abort what interrupted runs left of this file: parts cost money."""
        try:
            for upload in self._store.open_uploads(file.key):
                self._store.abort(file.key, upload)
        except RemoteError as error:
            log.warning("parts of an earlier upload may stay in %s: %s", self._store.url, error)
