"""A model's own `code/`, put where the container looks: at the root, beside `MODEL/NUMBER/`."""

from __future__ import annotations

from cloudserve.plural import counted
from cloudserve.storage.contract import BlobStore, PartStore
from cloudserve.storage.events import Reporter


def place_code(blobs: BlobStore, source: str, destination: str, reporter: Reporter) -> None:
    """Copy the objects under one key prefix to another, if the model has code.

    Copies files that are missing or have another size, so an interrupted copy is resumed.
    """
    files = list(blobs.list(source))
    if not files:
        return
    copied = {blob.key: blob.size for blob in blobs.list(destination)}
    for blob in files:
        key = destination + blob.key.removeprefix(source)
        if copied.get(key) == blob.size:
            continue
        if isinstance(blobs, PartStore):
            blobs.copy(blob, key, {})
            continue
        content = blobs.read(blob.key)
        if content is not None:
            blobs.write(key, content[0])
    reporter.line(f"uploaded {counted(len(files), 'file')} of code/ to {blobs.url}/{destination}")
