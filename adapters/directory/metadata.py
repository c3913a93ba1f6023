"""Metadata of the objects in a directory: one JSON file per object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cloudserve.files import replace_atomically


class _Entry(msgspec.Struct, frozen=True):
    token: str
    metadata: dict[str, str]


class Metadata:
    """The metadata below one folder, by key, valid only for the object with the same token.

    The writer must hold the store's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, token: str) -> dict[str, str]:
        """Return an object's metadata; {} if there is none for this token."""
        try:
            entry = msgspec.json.decode(self._path(key).read_bytes(), type=_Entry)
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
        return entry.metadata if entry.token == token else {}

    def write(self, key: str, token: str, metadata: Mapping[str, str]) -> None:
        """Store an object's metadata, replacing that of its key."""
        path = self._path(key)
        if not metadata:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_atomically(path, msgspec.json.encode(_Entry(token, dict(metadata))))

    def forget(self, key: str) -> None:
        """Delete a key's metadata."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.json"
