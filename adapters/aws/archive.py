"""`model.tar.gz` of a revision: made of the objects in its bucket, while it is sent back there.

SageMaker takes no prefix for serverless and multi-model endpoints, nor for batch transform (API
reference, `ContainerDefinition.ModelDataSource`). The files are in the bucket already, so the
archive is of what was released, whatever became of the directory; the bytes pass through this
machine, and only the parts under way are on its disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from cloudserve.errors import RemoteError
from cloudserve.release.nouns import Action, Location
from cloudserve.release.provider import Blob, Notify
from cloudserve.storage.archive import ARCHIVE, CODE, DIGEST, pack_members
from cloudserve.storage.contract import PartStore
from cloudserve.storage.retry import Retry
from cloudserve.storage.stream import send_stream

from .object_stream import open_object

MAKE = "create-archive"
Files = tuple[tuple[str, Blob], ...]


class Archives:
    """Archives beside the revisions that they are of: `…/revisions/REVISION.tar.gz`."""

    def __init__(self, blobs: PartStore, *, wanted: bool) -> None:
        self._blobs = blobs
        self._wanted = wanted

    def plan(self, location: Location) -> tuple[Action, ...]:
        """Plan the archive of a revision; () where it is there, or the target wants none."""
        if not self._wanted:
            return ()
        files, key = self._files(location), archive_key(location)
        if files and self._is_there(key, _digest(files)):
            return ()
        url = source_url(location, archived=True)
        args: dict[str, str | int | float] = {
            "root": location.root,
            "model": location.model,
            "number": location.number,
        }
        sentence = f"make {url} of the files under {location.root_url}"
        return (Action(MAKE, MAKE, sentence, args, f"delete the object {url}"),)

    def make(self, args: Mapping[str, Any], notify: Notify) -> None:
        """Make an archive that a plan wants; one that is there is not made again.

        An interrupted one goes on by parts. Raises RemoteError when the files are not there.
        """
        location = Location(
            self._blobs.url, str(args["root"]), str(args["model"]), int(args["number"])
        )
        files, key = self._files(location), archive_key(location)
        if not files:
            raise RemoteError(
                "the revision's files are not there",
                where=location.root_url,
                hint="deploy the version again: that uploads them",
            )
        digest = _digest(files)
        if not self._is_there(key, digest):
            retry = Retry()
            members = [
                (name, blob.size, partial(open_object, self._blobs, blob, retry, notify))
                for name, blob in files
            ]
            make = partial(pack_members, members)
            send_stream(self._blobs, key, {DIGEST: digest}, make, retry=retry)
        size = sum(blob.size for _, blob in files)
        notify(f"{len(files)} files, {size:,} bytes, are in {self._blobs.url}/{key}")

    def _is_there(self, key: str, digest: str) -> bool:
        head = self._blobs.head(key)
        return head is not None and head.metadata.get(DIGEST) == digest

    def _files(self, location: Location) -> Files:
        """Return what goes into the archive by name: the SavedModel, and its `code/` once more."""
        found = []
        own = f"{location.saved_model}{CODE}/"
        for blob in self._blobs.list(location.saved_model):
            found.append((blob.key.removeprefix(location.root), blob))
            if blob.key.startswith(own):
                found.append((f"{CODE}/{blob.key.removeprefix(own)}", blob))
        return tuple(sorted(found, key=lambda file: file[0]))


def archive_key(location: Location) -> str:
    """Return the key of a revision's archive: it names the content, as the revision's id does."""
    return f"{location.root.removesuffix('/')}.tar.gz"


def source_url(location: Location, *, archived: bool) -> str:
    """Return the URL that SageMaker reads a revision from."""
    return f"{location.bucket}/{archive_key(location)}" if archived else location.root_url


def _digest(files: Files) -> str:
    """Return what an archive's bytes depend on: names, and the ETags of the objects."""
    text = "".join(f"{name}\0{blob.size}\0{blob.token}\n" for name, blob in files)
    return hashlib.sha256(f"{ARCHIVE}\n{text}".encode()).hexdigest()
