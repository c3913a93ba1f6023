"""The multipart operations of a store without parts: a disk does not need them.

An interrupted copy is restarted, file by file.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.storage.contract import Part, UploadGoneError
from cloudserve.storage.upload.file_slice import FileSlice


class NoParts:
    """The part operations of `PartStore`, for a store whose `begin` returns None."""

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return (): there are no uploads."""
        del key
        return ()

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Raise UploadGoneError."""
        raise UploadGoneError(f"there is no upload {upload}", where=key)

    def reuse_part(self, part: Part, body: FileSlice) -> None:
        """Return None."""
        del part, body

    def send_part(self, key: str, upload: str, number: int, body: FileSlice) -> Part:
        """Raise UploadGoneError."""
        del number, body
        raise UploadGoneError(f"there is no upload {upload}", where=key)

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Raise UploadGoneError."""
        del parts
        raise UploadGoneError(f"there is no upload {upload}", where=key)

    def abort(self, key: str, upload: str) -> None:
        """Do nothing: there are no uploads."""
