"""The catalog of a multi-model endpoint: a model's revisions and its live one, an object per model.

The endpoint knows archives by their keys alone, and loads them at the first request. The results of
loads, and the revision for requests that name none, are therefore kept beside the archives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from cloudserve.errors import ConflictError
from cloudserve.release.types import Revision
from cloudserve.storage.contract import BlobStore, Expect

ROOT = "cloudserve-multi"
ATTEMPTS = 5
"""The attempts to write a catalog that other processes write at the same time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision that the endpoint has tried to load."""

    number: int
    digest: str
    tried: float
    """When, in seconds since 1970."""
    reason: str = ""
    """Why it could not be loaded; empty when it was."""

    @property
    def revision(self) -> Revision:
        """Return the revision."""
        return Revision(self.number, self.digest)


@dataclass(frozen=True, slots=True)
class Catalog:
    """A model's revisions on an endpoint by their ids."""

    live: str = ""
    revisions: Mapping[str, Entry] = field(default_factory=dict)

    def find(self, revision: Revision) -> Entry | None:
        """Return the entry of this very revision."""
        entry = self.revisions.get(revision.id)
        return entry if entry and entry.digest == revision.digest else None

    def tried(self, revision: Revision, reason: str) -> Catalog:
        """Return the catalog after a load; the first that succeeds is live."""
        entry = Entry(revision.number, revision.digest, time.time(), reason)
        live = self.live or ("" if reason else revision.id)
        return Catalog(live, {**self.revisions, revision.id: entry})

    def promoted(self, revision_id: str) -> Catalog:
        """Return the catalog with another revision live."""
        return replace(self, live=revision_id)

    def without(self, revision_id: str) -> Catalog:
        """Return the catalog without a revision."""
        left = {name: entry for name, entry in self.revisions.items() if name != revision_id}
        return Catalog("" if self.live == revision_id else self.live, left)


class Catalogs:
    """The catalogs of one endpoint, in its bucket."""

    def __init__(self, blobs: BlobStore, endpoint: str, project: str = "") -> None:
        """Take the endpoint's name, and the project's: projects may share a bucket."""
        self._blobs = blobs
        # No endpoint's name has a dot.
        self._folder = f"{ROOT}/project.{project}/{endpoint}" if project else f"{ROOT}/{endpoint}"

    @property
    def prefix(self) -> str:
        """Return the key prefix that the endpoint finds archives below."""
        return f"{self._folder}/models/"

    def read(self, model: str) -> Catalog:
        """Read a model's catalog, which is empty if it does not exist."""
        return self._read(model)[0]

    def change(self, model: str, step: Callable[[Catalog], Catalog]) -> None:
        """Apply a change to the present catalog; raises ConflictError if all attempts fail."""
        for attempt in range(1, ATTEMPTS + 1):
            catalog, token = self._read(model)
            data = msgspec.json.encode(step(catalog), order="sorted")
            try:
                self._blobs.write(self._key(model), data, token or Expect.ABSENT)
            except ConflictError:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def models(self, but: str = "") -> tuple[str, ...]:
        """Return the models that have revisions on the endpoint, without the model `but`."""
        prefix = f"{self._folder}/catalog/"
        names = (blob.key.removeprefix(prefix) for blob in self._blobs.list(prefix))
        models = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        return tuple(model for model in models if model != but and self.read(model).revisions)

    def has(self, model: str) -> bool:
        """Return whether a model was ever on the endpoint."""
        return self._read(model)[1] != ""

    def _read(self, model: str) -> tuple[Catalog, str]:
        stored = self._blobs.read(self._key(model))
        if stored is None:
            return Catalog(), ""
        try:
            return msgspec.json.decode(stored[0], type=Catalog), stored[1]
        except msgspec.DecodeError as error:
            raise ConflictError(
                f"the catalog of {model} cannot be read: {error}",
                where=f"{self._blobs.url}/{self._key(model)}",
                hint="delete the object and deploy the model's versions again",
            ) from error

    def _key(self, model: str) -> str:
        return f"{self._folder}/catalog/{model}.json"
