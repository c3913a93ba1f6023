"""The deletion of a revision's files, safe against other targets that deploy the same revision.

Targets that share a bucket share a revision's files, and each has a lock of its own. So both sides
announce first and look second: a deletion moves the manifest to `removals/`, then reads the other
ledgers; a release writes its begin to its ledger, then looks for the manifest, or for a removal
before it uploads. At least one of two concurrent runs sees the other, and stops.

A killed deletion leaves the manifest in `removals/`, from which the next collection continues: if
all files still exist, the other ledgers decide again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloudserve.errors import ConflictError
from cloudserve.release.state.layout import Layout
from cloudserve.release.tidy.inventory import Files, read_files
from cloudserve.storage.contract import BlobStore, Expect
from cloudserve.storage.events import Reporter

IsUsed = Callable[[str], str]
"""Return why another target uses a revision, or ""."""


@dataclass(frozen=True, slots=True)
class Removals:
    """The removals of one model's files."""

    blobs: BlobStore
    layout: Layout

    def delete(self, name: str, is_used: IsUsed, reporter: Reporter) -> None:
        """Delete the files of a revision; safe to repeat.

        The files are kept, with a line of progress, if another target has begun to use them.
        """
        if self._files(name) is None:
            reporter.line(f"files of {name}: gone already")
            return
        self._announce(name)
        files = self._files(name)
        if files is not None and files.is_complete and (why := is_used(name)):
            self.keep(name)
            reporter.line(f"the files of {name} stay: {why}")
            return
        for key in files.keys if files is not None else ():
            self.blobs.delete(key)
        self.blobs.delete(self._removal(name))

    def keep(self, name: str) -> None:
        """Take back a deletion that has deleted no file yet; otherwise finish it."""
        files = self._files(name)
        if files is None or not files.is_interrupted:
            return
        if files.is_complete:
            self._move(self._removal(name), self._manifest(name))
        elif not files.has_manifest:
            for key in files.keys:
                self.blobs.delete(key)
        self.blobs.delete(self._removal(name))

    def _announce(self, name: str) -> None:
        """Move the manifest: from now on the revision does not count as uploaded."""
        self._move(self._manifest(name), self._removal(name))
        self.blobs.delete(self._manifest(name))

    def _move(self, source: str, key: str) -> None:
        content = self.blobs.read(source)
        if content is not None and self.blobs.read(key) is None:
            self.blobs.write(key, content[0], Expect.ABSENT)

    def _files(self, name: str) -> Files | None:
        return read_files(self.blobs, self.layout, name)

    def _manifest(self, name: str) -> str:
        return f"{self.layout.manifests}{name}.json"

    def _removal(self, name: str) -> str:
        return f"{self.layout.removals}{name}.json"


def check_no_removal(blobs: BlobStore, layout: Layout, name: str) -> None:
    """Raise ConflictError if the files of a revision are being deleted."""
    key = f"{layout.removals}{name}.json"
    if blobs.head(key) is not None:
        raise ConflictError(
            f"the files of {name} are being deleted, or their deletion was interrupted",
            where=f"{blobs.url}/{key}",
            hint=f"wait for the running `cloudserve gc {layout.model}`, or run it again",
        )
