"""The reads of a bucket by the tape of its access: a base class of stores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudserve.known.tape import Tape, unknown
from cloudserve.storage.contract import Blob


class RecordedBlobs(ABC):
    """A store whose reads go through a tape; keys that a known list lacks are absent."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the bucket as a URL without a trailing slash."""

    @property
    @abstractmethod
    def tape(self) -> Tape:
        """Return the tape of the store's access."""

    @abstractmethod
    def _exists(self) -> bool: ...

    @abstractmethod
    def _head(self, key: str) -> Blob | None: ...

    @abstractmethod
    def _read(self, key: str) -> tuple[bytes, str] | None: ...

    @abstractmethod
    def _list(self, prefix: str) -> Iterator[Blob]: ...

    def exists(self) -> bool:
        """Return whether the bucket exists."""
        return self.tape.ask(f"bucket {self.url}", self._exists)

    def head(self, key: str) -> Blob | None:
        """Return an object's entry with its metadata, or None when it or the bucket is missing."""
        if self._is_absent(key):
            return None
        entry = self.tape.ask(f"head {self.url}/{key}", lambda: self._entry(key))
        return _blob(entry) if entry else None

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and token, or None when it or the bucket is missing."""
        if self._is_absent(key):
            return None
        stored = self.tape.ask(f"read {self.url}/{key}", lambda: self._fetched(key))
        return (stored[0], stored[1]) if stored else None

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order, without folders."""
        if not self.tape.keeps:
            yield from self._list(prefix)
            return
        entries = self._listed(prefix)
        if entries is None:
            question = f"list {self.url}/{prefix}"
            entries = self.tape.ask(question, lambda: [_entry(b) for b in self._list(prefix)])
        for blob in map(_blob, entries):
            if blob.key.startswith(prefix):
                yield blob

    def _listed(self, prefix: str) -> Sequence[Mapping[str, Any]] | None:
        """Return the entries of a known list with all keys of a prefix; None if there is none."""
        lists = self.tape.listed(f"list {self.url}/")
        return next((entries for other, entries in lists if prefix.startswith(other)), None)

    def _fetched(self, key: str) -> Any:
        """Read an object, from an earlier tape if it has the same token now.

        Raises UserError for a listed object that is larger than the tape takes.
        """
        question, tape = f"read {self.url}/{key}", self.tape
        entry = next((one for one in self._listed(key) or () if one["key"] == key), None)
        earlier = tape.earlier.get(question)
        if entry is not None and earlier and entry["token"] == earlier[1]:
            return earlier
        if entry is not None and tape.largest and entry["size"] > tape.largest:
            raise unknown(question)
        return self._read(key)

    def _is_absent(self, key: str) -> bool:
        entries = self._listed(key)
        return entries is not None and all(entry["key"] != key for entry in entries)

    def _entry(self, key: str) -> dict[str, Any] | None:
        blob = self._head(key)
        return _entry(blob) if blob is not None else None


def _entry(blob: Blob) -> dict[str, Any]:
    metadata = dict(blob.metadata)
    return {"key": blob.key, "size": blob.size, "token": blob.token, "metadata": metadata}


def _blob(entry: Mapping[str, Any]) -> Blob:
    return Blob(**entry)
