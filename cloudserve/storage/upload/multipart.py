"""Uploads in parts, resumed after an interruption.

The service itself remembers the state of an upload. The next run, in any process on any machine,
lists the key's open upload and compares its parts with the file by checksum. There is no state file
to lose, and a part is reused only if it has the same bytes.

Two clients that send the same file may share an upload. One of them completes it; the other finds
the upload gone, sees the complete object, and is done too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from cloudserve.errors import ModelError, RemoteError
from cloudserve.savedmodel.tree_cache import FileState
from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import Meter, Skipped
from cloudserve.storage.pool import Task
from cloudserve.storage.transfer import PartRange, Transfer, part_ranges
from cloudserve.storage.upload.file_slice import FileSlice, unreadable
from cloudserve.storage.upload.outgoing import Attempt, Outgoing, SingleRequests

RESTARTS = 3
"""How often a file is restarted if other clients end its upload."""

logger = logging.getLogger(__name__)


def find_upload(
    store: PartStore, transfer: Transfer, name: str, key: str
) -> tuple[str | None, Mapping[int, Part]]:
    """Return the key's newest open upload, or None, and its parts."""
    for upload in transfer.attempt(name, lambda: store.open_uploads(key)):
        try:
            parts = transfer.attempt(name, partial(store.parts, key, upload))
        except UploadGoneError:
            continue
        return upload, {part.number: part for part in parts}
    return None, {}


def reused_part(store: PartStore, part: Part | None, body: FileSlice) -> Part | None:
    """Return a listed part if it has the bytes of the body."""
    return store.reuse_part(part, body) if part and part.size == body.size else None


def _state_of(file: Outgoing) -> FileState:
    try:
        return FileState.of(file.path.stat())
    except OSError as error:
        raise unreadable(file.path, error) from error


def upload_lost_error(store: PartStore, name: str, key: str) -> RemoteError:
    """Return the error for an upload that other clients ended on every attempt."""
    return RemoteError(
        f"other clients ended the upload of {name} {RESTARTS + 1} times",
        where=f"{store.url}/{key}",
        hint="wait until the other upload to this place has ended, then run the command again",
    )


class Multipart:
    """The multipart uploads of one transfer."""

    def __init__(self, store: PartStore, transfer: Transfer, files: SingleRequests) -> None:
        self._store = store
        self._transfer = transfer
        self._files = files

    def begin(self, file: Outgoing, number: int = 0) -> Sequence[Task]:
        """Return the tasks that send a file's parts, or send it whole if parts are not supported.

        `number` counts the earlier attempts.
        """
        state = _state_of(file)
        # A second attempt reuses no parts: they may be the cause.
        upload, uploaded = self._find(file) if number == 0 else (None, {})
        if upload is None:
            upload = self._transfer.attempt(
                file.name, lambda: self._store.begin(file.key, file.metadata)
            )
        if upload is None:
            self._files.put(file)
            return ()
        pieces = part_ranges(file.size, self._transfer.part)
        attempt = Attempt(file, upload, pieces, uploaded, state, number)
        return [partial(self._part_of, attempt, span) for span in attempt.part_ranges]

    def _find(self, file: Outgoing) -> tuple[str | None, Mapping[int, Part]]:
        return find_upload(self._store, self._transfer, file.name, file.key)

    def _part_of(self, attempt: Attempt, span: PartRange) -> Sequence[Task]:
        if attempt.over:
            return ()
        meter = self._transfer.meter(attempt.file.name, span)
        try:
            part = self._reused_part(attempt, span)
            if part is not None:
                meter.finish(Skipped)
            else:
                part = self._sent(attempt, span, meter)
            return self._complete(attempt) if attempt.add(part) else ()
        except UploadGoneError:
            return self._lost(attempt)

    def _reused_part(self, attempt: Attempt, span: PartRange) -> Part | None:
        with self._transfer.open_slice(attempt.file.path, span) as body:
            return reused_part(self._store, attempt.uploaded.get(span.number), body)

    def _sent(self, attempt: Attempt, span: PartRange, meter: Meter) -> Part:
        file = attempt.file

        def send() -> Part:
            with self._transfer.open_slice(file.path, span, meter) as body:
                return self._store.send_part(file.key, attempt.upload, span.number, body)

        part = self._transfer.attempt(file.name, send)
        meter.finish()
        return part

    def _complete(self, attempt: Attempt) -> Sequence[Task]:
        file = attempt.file
        if _state_of(file) != attempt.state:
            raise ModelError(
                "the file was written during the upload",
                where=str(file.path),
                hint="let the export finish, then try again",
            )
        self._transfer.attempt(
            file.name, lambda: self._store.complete(file.key, attempt.upload, attempt.parts)
        )
        # A resumed upload may have been started for different content; its metadata tells.
        if not self._files.is_uploaded(file):
            return self._lost(attempt)
        attempt.end()
        self._free_others(file)
        self._files.finish(file)
        return ()

    def _lost(self, attempt: Attempt) -> Sequence[Task]:
        """Continue after another client completed or aborted the upload."""
        file = attempt.file
        if not attempt.end():
            return ()  # another thread handles it
        if self._files.is_uploaded(file):
            self._files.finish(file)
            return ()
        if attempt.number == RESTARTS:
            raise upload_lost_error(self._store, file.name, file.key)
        return self.begin(file, attempt.number + 1)

    def _free_others(self, file: Outgoing) -> None:
        """Abort uploads that interrupted runs left for this file: parts cost money."""
        try:
            for upload in self._store.open_uploads(file.key):
                self._store.abort(file.key, upload)
        except RemoteError as error:
            logger.warning(
                "%s may still have parts of an earlier upload: %s", self._store.url, error
            )
