"""A directory as a bucket; an object's token is its file's inode, time and size.

An object is a file with its key's name, renamed into place once its bytes are on disk. Metadata is
in `.cloudserve/metadata`, together with the token that it belongs to; a file from another program
has none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.files import sync_directory
from cloudserve.storage.contract import Blob, Expect, Part, UploadGoneError
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.file_slice import BLOCK, FileSlice
from cloudserve.storage.upload.send import send_file

from .files import OWN, Metadata, StagingFile, key_of, path_of, staging_file, status_of, token_of


class NoParts:
    """The part operations of `PartStore`, for a store whose `begin` returns None."""

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return (): there are no uploads."""
        del key
        return ()

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Raise UploadGoneError."""
        raise UploadGoneError(f"the upload `{upload}` does not exist", where=key)

    def reuse_part(self, part: Part, body: FileSlice) -> None:
        """Return None."""
        del part, body

    def send_part(self, key: str, upload: str, number: int, body: FileSlice) -> Part:
        """Raise UploadGoneError."""
        del number, body
        raise UploadGoneError(f"the upload `{upload}` does not exist", where=key)

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Raise UploadGoneError."""
        del parts
        raise UploadGoneError(f"the upload `{upload}` does not exist", where=key)

    def abort(self, key: str, upload: str) -> None:
        """Do nothing: there are no uploads."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAKE_ROOM = "make room there, then run the command again; complete files are not copied again"


class DirectoryBlobs(NoParts):
    """The objects below one directory, which threads and processes may share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._metadata = Metadata(self._root / OWN / "metadata")

    @property
    def url(self) -> str:
        """Return `file:///PATH`."""
        return f"file://{self._root}"

    def exists(self) -> bool:
        """Return whether the directory exists."""
        return self._root.is_dir()

    def ensure(self, reporter: Reporter) -> None:
        """Create the directory if it does not exist."""
        if self.exists():
            return
        reporter.line(f"make the directory {self.url}")
        with self._system(f"make the directory {self.url}"):
            self._root.mkdir(parents=True)

    def head(self, key: str) -> Blob | None:
        """Return an object's entry with its metadata, or None if there is no object."""
        path = path_of(self._root, key)
        with self._system(f"look at {self.url}/{key}"):
            status = status_of(path)
            if status is None:
                return None
            blob = _entry(key, status)
            return Blob(key, blob.size, blob.token, self._metadata.read(key, blob.token))

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and token, or None if there is no object."""
        with (
            self._system(f"read {self.url}/{key}"),
            suppress(FileNotFoundError, NotADirectoryError),
        ):
            path = path_of(self._root, key)
            if path.is_dir():
                return None
            with path.open("rb") as file:
                return file.read(), token_of(os.fstat(file.fileno()))
        return None

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically; raises ConflictError if `expect` does not hold."""
        with self._system(f"write {self.url}/{key}"), self._staged() as new:
            new.file.write(data)
            return self._place(new, key, {}, expect)

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size."""
        send_file(self, key, path, metadata)

    def put(self, key: str, body: FileSlice, metadata: Mapping[str, str]) -> None:
        """Copy a file in."""
        with (
            self._system(f"upload {body.path.name} to {self.url}/{key}"),
            self._staged() as new,
        ):
            body.seek(0)
            while block := body.read(BLOCK):
                new.file.write(block)
            self._place(new, key, metadata, Expect.ANYTHING)

    def copy(self, source: Blob, key: str, metadata: Mapping[str, str]) -> None:
        """Copy an object that still has this token."""
        with self._system(f"copy {self.url}/{source.key} to {key}"), self._staged() as new:
            with self._unchanged(source) as file:
                shutil.copyfileobj(file, new.file, BLOCK)
            self._place(new, key, metadata, Expect.ANYTHING)

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order; nothing if there is no directory."""
        with self._system(f"list {self.url}/{prefix}"):
            blobs = [blob for blob in self._walk() if blob.key.startswith(prefix)]
        files = [blob for blob in blobs if not blob.is_folder]
        yield from sorted(files, key=lambda blob: blob.key.encode())

    def delete(self, key: str) -> None:
        """Delete an object, and its directories if they are empty."""
        path = path_of(self._root, key)
        with self._system(f"delete {self.url}/{key}"):
            if status_of(path) is None:
                return
            path.unlink(missing_ok=True)
            self._metadata.forget(key)
            with suppress(OSError):  # stop at the first directory that is not empty
                for folder in path.relative_to(self._root).parents[:-1]:
                    (self._root / folder).rmdir()

    def rename_tree(self, source: str, target: str) -> None:
        """Rename a directory; its objects keep their metadata."""
        old, new = path_of(self._root, source.rstrip("/")), path_of(self._root, target.rstrip("/"))
        with self._system(f"rename {self.url}/{source} to {target}"), self._locked():
            if new.exists():
                raise ConflictError(
                    "the target already exists",
                    where=f"{self.url}/{target}",
                    hint="choose another name, or remove it",
                )
            entries = [(b, self._metadata.read(b.key, b.token)) for b in self.list(source)]
            for blob, metadata in entries:
                key = target + blob.key.removeprefix(source)
                self._metadata.write(key, blob.token, metadata)
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
            sync_directory(new.parent)
            for blob, _ in entries:
                self._metadata.forget(blob.key)

    def read_range(self, blob: Blob, offset: int, size: int) -> Iterator[bytes]:
        """Yield a range of an object that still has this token."""
        with self._system(f"read {self.url}/{blob.key}"), self._unchanged(blob) as file:
            file.seek(offset)
            while size > 0 and (block := file.read(min(BLOCK, size))):
                size -= len(block)
                yield block

    def begin(self, key: str, metadata: Mapping[str, str]) -> None:
        """Return None: files are copied whole. Raises RemoteError if there is no directory."""
        del metadata
        if not self._root.is_dir():
            raise self._missing(f"begin the upload of {self.url}/{key}")

    # Files

    @contextmanager
    def _staged(self) -> Iterator[StagingFile]:
        if not self._root.is_dir():
            raise self._missing("write")
        with staging_file(self._root / OWN / "staging") as new:
            yield new

    def _place(
        self, new: StagingFile, key: str, metadata: Mapping[str, str], expect: Expect | str
    ) -> str:
        path = path_of(self._root, key)
        new.finish()
        with self._locked():
            status = status_of(path)
            if not _holds(expect, None if status is None else token_of(status)):
                raise ConflictError(
                    "the object is not as expected: another client wrote it",
                    where=f"{self.url}/{key}",
                    hint="run the command again: it reads what the bucket has now",
                )
            new.place(path)
            token = token_of(path.stat())
            self._metadata.write(key, token, metadata)
        return token

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / OWN / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _unchanged(self, blob: Blob) -> Iterator[BinaryIO]:
        changed = ConflictError(
            "the object was replaced or deleted while it was read",
            where=f"{self.url}/{blob.key}",
            hint="run the command again: it reads what the bucket has now",
        )
        try:
            file = path_of(self._root, blob.key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise changed from error
        with file:
            if token_of(os.fstat(file.fileno())) != blob.token:
                raise changed
            yield file

    def _walk(self) -> Iterator[Blob]:
        for folder, folders, names in os.walk(self._root):
            if Path(folder) == self._root and OWN in folders:
                folders.remove(OWN)
            for path in (Path(folder, name) for name in names):
                status = status_of(path)
                if status is not None:
                    yield _entry(key_of(self._root, path), status)

    # Errors

    @contextmanager
    def _system(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RemoteError(
                f"{what}: {error.strerror or error}",
                where=error.filename or self.url,
                hint=_MAKE_ROOM if error.errno in _FULL else None,
            ) from error

    def _missing(self, what: str) -> RemoteError:
        return RemoteError(
            f"{what}: there is no directory {self.url}",
            where=self.url,
            hint="create it first, or mount the share",
        )


def _holds(expect: Expect | str, present: str | None) -> bool:
    match expect:
        case Expect.ANYTHING:
            return True
        case Expect.ABSENT:
            return present is None
        case token:
            return present == token


def _entry(key: str, status: os.stat_result) -> Blob:
    return Blob(key, status.st_size, token_of(status))
