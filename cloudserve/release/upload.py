"""The upload of a SavedModel into the bucket, the manifest last.

The manifest is written, create-only, after the last file: a model with a manifest is complete.
Files that exist with the right size and digest are not sent again: an interrupted upload resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from cloudserve.errors import ConflictError, ModelError, RemoteError
from cloudserve.release.nouns import Revision
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import is_uploaded, number_of, read_named, uploaded
from cloudserve.savedmodel import Tree, read_tree
from cloudserve.storage.contract import BlobStore, Expect, PartStore
from cloudserve.storage.events import (
    Direction,
    Ended,
    FileDone,
    Moved,
    Observe,
    Reporter,
    Skipped,
    Started,
    serialized,
)
from cloudserve.storage.manifest import Origin, manifest_of
from cloudserve.storage.upload.outgoing import SHA256, Outgoing
from cloudserve.storage.upload.send import Sender

REVISIONS = 5
"""The number of recent revisions that are searched for equal files."""
ReadTree = Callable[[Path], Tree]


def upload(  # noqa: PLR0913 - what goes where, and who is told
    blobs: BlobStore,
    layout: Layout,
    revision: Revision,
    source: Path,
    *,
    origin: Origin,
    reporter: Reporter,
    read: ReadTree = read_tree,
) -> None:
    """Upload what is missing of a SavedModel directory, then its manifest.

    Raises ModelError when the directory is not, before and after, what was planned; then what was
    sent is deleted, because it may be other bytes than its digest says. Raises RemoteError when the
    service fails; what was sent until then stays and is not sent again.
    """
    tree = _read_as_planned(source, revision, read)
    prefix = layout.location(revision).saved_model
    sent: list[str] = []
    try:
        send_tree(
            blobs,
            prefix,
            source,
            tree,
            reporter=reporter,
            sent=sent,
            elsewhere=lambda: _elsewhere(blobs, layout),
        )
    finally:
        # Also after a failure: the objects carry the digest that the plan announced.
        try:
            _read_as_planned(source, revision, read)
        except ModelError:
            if not is_uploaded(blobs, layout, revision):  # otherwise another release has checked it
                for key in sent:
                    blobs.delete(key)
            raise
    _check_arrived(blobs, prefix, tree)
    _commit(blobs, layout, revision, tree, origin)


def send_tree(  # noqa: PLR0913 - two ends, what is known of both, and who is told
    blobs: BlobStore,
    prefix: str,
    source: Path,
    tree: Tree,
    *,
    reporter: Reporter,
    sent: list[str],
    elsewhere: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Send the files below `prefix` that are missing there; their keys are added to `sent`.

    A bucket that takes parts is sent several at once, and copies what it has under another key
    (`elsewhere`, by digest); a plain BlobStore is sent one file after the other.
    """
    files = [
        Outgoing(f.path, source / f.path, prefix + f.path, f.size, {SHA256: f.sha256})
        for f in tree.files
    ]
    observe = serialized(reporter.emit)
    observe(Started(Direction.UPLOAD, len(files), tree.size))
    there = {blob.key: blob for blob in blobs.list(prefix)}
    if isinstance(blobs, PartStore):
        missing = any(file.key not in there for file in files)
        Sender(blobs, observe, sent=sent).send(files, there, elsewhere() if missing else {})
    else:
        for file in files:
            _send_plainly(blobs, file, observe, sent)
    observe(Ended())


def _elsewhere(blobs: BlobStore, layout: Layout) -> Mapping[str, str]:
    """Return the keys of the files that the last revisions consist of, by digest."""
    found: dict[str, str] = {}
    for name in uploaded(blobs, layout)[-REVISIONS:]:
        manifest = read_named(blobs, layout, name)
        if manifest is not None:
            prefix = layout.location(Revision(number_of(name), manifest.digest)).saved_model
            found |= {file.sha256: prefix + file.path for file in manifest.files}
    return found


def _send_plainly(blobs: BlobStore, file: Outgoing, observe: Observe, sent: list[str]) -> None:
    if file.is_like(blobs.head(file.key)):
        observe(Skipped(file.name, file.size))
        observe(FileDone(file.name, file.size, moved=False))
        return
    blobs.upload(file.key, file.path, file.metadata)
    sent.append(file.key)
    observe(Moved(file.name, file.size))
    observe(FileDone(file.name, file.size))


def _read_as_planned(source: Path, revision: Revision, read: ReadTree) -> Tree:
    tree = read(source)
    if tree.digest != revision.digest:
        raise ModelError(
            "the model changed since the release was planned",
            where=str(source),
            hint="let the export finish, then deploy again",
        )
    return tree


def _check_arrived(blobs: BlobStore, prefix: str, tree: Tree) -> None:
    """Compare a listing of the bucket with the tree."""
    there = {blob.key: blob.size for blob in blobs.list(prefix)}
    for file in tree.files:
        if there.get(prefix + file.path) != file.size:
            raise RemoteError(
                f"{file.path} was sent and is not there",
                where=f"{blobs.url}/{prefix}",
                hint="run the same command again; what is there is not sent again",
                retryable=True,
            )


def _commit(
    blobs: BlobStore, layout: Layout, revision: Revision, tree: Tree, origin: Origin
) -> None:
    manifest = manifest_of(tree, origin)
    try:
        blobs.write(layout.manifest(revision), msgspec.json.encode(manifest), Expect.ABSENT)
    except ConflictError:
        # Another uploader of the same digest was first; of another digest, is_uploaded raises.
        is_uploaded(blobs, layout, revision)
