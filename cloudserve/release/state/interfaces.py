"""The interfaces of uploaded revisions, read from the bucket."""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.errors import ModelError
from cloudserve.release.nouns import Revision
from cloudserve.release.state.layout import Layout
from cloudserve.savedmodel import Interface, parse_interface
from cloudserve.savedmodel.classes.reader import ReadAsset
from cloudserve.savedmodel.interface import ASSETS
from cloudserve.storage.contract import BlobStore

FILES = ("saved_model.pb", "saved_model.pbtxt")
"""The forms of the model file that an interface is read from, in TensorFlow's order."""


@dataclass(frozen=True, slots=True)
class UploadedInterfaces:
    """The interfaces of one model's revisions in one bucket."""

    blobs: BlobStore
    layout: Layout
    tags: tuple[str, ...]

    def read(self, revision: Revision) -> Interface:
        """Read the interface of a revision: its model file, and the assets with class names.

        Raises ModelError if the files are missing or unreadable.
        """
        folder = self.layout.location(revision).saved_model
        where = f"{self.blobs.url}/{folder}"
        for name in FILES:
            found = self.blobs.read(folder + name)
            if found is not None:
                return parse_interface(found[0], name, self.tags, where, self._assets(folder))
        raise ModelError(
            f"the files of {revision.id} are not in {self.blobs.url}",
            where=where,
            hint="deploy the version again",
        )

    def _assets(self, folder: str) -> ReadAsset:
        def read(name: str) -> bytes | None:
            found = self.blobs.read(f"{folder}{ASSETS}/{name}")
            return found[0] if found else None

        return read
