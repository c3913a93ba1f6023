"""The calls of multipart uploads where there are none: a disk needs no parts.

A copy that was broken off is made again, file by file.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.storage.contract import Part, UploadGoneError
from cloudserve.storage.upload.file_slice import FileSlice


class NoParts:
    """The half of `PartStore` that a store without parts need not have; `begin` is its own."""

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return (): there are none."""
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
        """Do nothing: what is gone is no error."""
