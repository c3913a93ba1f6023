"""The upload of a SavedModel into the bucket, the manifest last.

The manifest is written, create-only, after the last file: a model with a manifest is complete.
Files that exist with the right size and digest are not sent again: an interrupted upload resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudserve.errors import ConflictError, ModelError, RemoteError
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import is_uploaded, number_of, read_named, uploaded
from cloudserve.release.types import Revision
from cloudserve.savedmodel import Tree, read_tree
from cloudserve.storage.contract import BlobStore, Expect, PartStore
from cloudserve.storage.events import (
    Direction,
    Ended,
    FileDone,
    Moved,
    Reporter,
    Skipped,
    Started,
)
from cloudserve.storage.manifest import Origin, manifest_of
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.outgoing import Outgoing, outgoing_files
from cloudserve.storage.upload.send import Sender

REVISIONS = 5
"""The number of recent revisions that are searched for equal files."""
ReadTree = Callable[[Path], Tree]


@dataclass(frozen=True, slots=True)
class Uploader:
    """Uploads revisions of one model to its bucket."""

    blobs: BlobStore
    layout: Layout
    read: ReadTree = read_tree

    def upload(self, revision: Revision, source: Path, origin: Origin, reporter: Reporter) -> None:
        """Upload the missing files of a SavedModel directory, then its manifest.

        Raises ModelError if the directory is not, before and after, as planned; the sent files are
        then deleted, because their bytes may not have the planned digest. Raises RemoteError if
        the service fails; the sent files are kept and not sent again.
        """
        tree = self._read_as_planned(source, revision)
        prefix = self.layout.location(revision).saved_model
        files = outgoing_files(source, tree, prefix)
        sent: list[str] = []
        try:
            send_files(self.blobs, prefix, files, reporter, sent, self._elsewhere)
        finally:
            # Also after a failure: the objects carry the digest that the plan announced.
            try:
                self._read_as_planned(source, revision)
            except ModelError:
                # If it is uploaded, another release has checked it.
                if not is_uploaded(self.blobs, self.layout, revision):
                    for key in sent:
                        self.blobs.delete(key)
                raise
        _check_arrived(self.blobs, prefix, tree)
        self._commit(revision, tree, origin)

    def _read_as_planned(self, source: Path, revision: Revision) -> Tree:
        tree = self.read(source)
        if tree.digest != revision.digest:
            raise ModelError(
                "the model changed since the release was planned",
                where=str(source),
                hint="let the export finish, then deploy again",
            )
        return tree

    def _elsewhere(self) -> Mapping[str, str]:
        """Return the keys of the files that the last revisions consist of, by digest."""
        keys: dict[str, str] = {}
        for name in uploaded(self.blobs, self.layout)[-REVISIONS:]:
            manifest = read_named(self.blobs, self.layout, name)
            if manifest is not None:
                revision = Revision(number_of(name), manifest.digest)
                prefix = self.layout.location(revision).saved_model
                keys |= {file.sha256: prefix + file.path for file in manifest.files}
        return keys

    def _commit(self, revision: Revision, tree: Tree, origin: Origin) -> None:
        manifest = msgspec.json.encode(manifest_of(tree, origin))
        try:
            self.blobs.write(self.layout.manifest(revision), manifest, Expect.ABSENT)
        except ConflictError:
            # Another uploader of the same digest was first; of another digest, is_uploaded raises.
            is_uploaded(self.blobs, self.layout, revision)


def send_files(
    blobs: BlobStore,
    prefix: str,
    files: Sequence[Outgoing],
    reporter: Reporter,
    sent: list[str],
    elsewhere: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Send the files that are missing below `prefix`; their keys are added to `sent`.

    A bucket that takes parts is sent several at once, and copies what it has under another key
    (`elsewhere`, by digest); a plain BlobStore is sent one file after the other.
    """
    reporter.event(Started(Direction.UPLOAD, len(files), sum(file.size for file in files)))
    existing = {blob.key: blob for blob in blobs.list(prefix)}
    if isinstance(blobs, PartStore):
        missing = any(file.key not in existing for file in files)
        Sender(blobs, Transfer(reporter), sent=sent).send(
            files, existing, elsewhere() if missing else {}
        )
    else:
        for file in files:
            _send_plainly(blobs, file, reporter, sent)
    reporter.event(Ended())


def _send_plainly(blobs: BlobStore, file: Outgoing, reporter: Reporter, sent: list[str]) -> None:
    if file.is_like(blobs.head(file.key)):
        reporter.event(Skipped(file.name, file.size))
        reporter.event(FileDone(file.name, file.size, moved=False))
        return
    blobs.upload(file.key, file.path, file.metadata)
    sent.append(file.key)
    reporter.event(Moved(file.name, file.size))
    reporter.event(FileDone(file.name, file.size))


def _check_arrived(blobs: BlobStore, prefix: str, tree: Tree) -> None:
    """Compare a listing of the bucket with the tree."""
    sizes = {blob.key: blob.size for blob in blobs.list(prefix)}
    for file in tree.files:
        if sizes.get(prefix + file.path) != file.size:
            raise RemoteError(
                f"{file.path} was sent and does not exist in the bucket",
                where=f"{blobs.url}/{prefix}",
                hint="run the same command again: files in the bucket are not sent again",
                retryable=True,
            )
