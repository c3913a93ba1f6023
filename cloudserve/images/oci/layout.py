"""An image as a directory (OCI image specification 1.1, image-layout.md)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.images.oci.layers import Layer
from cloudserve.images.oci.manifest import (
    ARCHITECTURE,
    INDEX,
    MANIFEST,
    OS,
    Descriptor,
    digest_of,
    encode,
)

Fetch = Callable[[Descriptor, Path], None]
"""Writes a blob of the base image into a file."""


def write_layout(
    folder: Path,
    documents: tuple[bytes, bytes],
    layers: Sequence[Layer],
    base_layers: Sequence[Descriptor],
    fetch: Fetch,
) -> None:
    """Write an image as a layout; `documents` are its configuration and its manifest.

    The folder appears atomically. Raises ConflictError if it exists and is not empty, UserError if
    it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _fill(draft, documents, layers, base_layers, fetch)
        draft.chmod(0o755)
        draft.replace(folder)  # succeeds only if `folder` is missing or empty
    except OSError as error:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConflictError(
                "the folder exists and is not empty", where=str(folder), hint="name another folder"
            ) from error
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(
    draft: Path,
    documents: tuple[bytes, bytes],
    layers: Sequence[Layer],
    base_layers: Sequence[Descriptor],
    fetch: Fetch,
) -> None:
    blobs = draft / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for descriptor in base_layers:
        fetch(descriptor, blobs / _name(descriptor.digest))
    for layer in layers:
        shutil.copyfile(layer.path, blobs / _name(layer.descriptor.digest))
    for document in documents:
        (blobs / _name(digest_of(document))).write_bytes(document)
    manifest = documents[1]
    item = Descriptor(MANIFEST, digest_of(manifest), len(manifest)).as_json()
    item |= {"platform": {"os": OS, "architecture": ARCHITECTURE}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [item]}
    (draft / "index.json").write_bytes(encode(index))
    (draft / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"the folder cannot be written: {error.strerror}",
        where=str(folder),
        hint="name a folder that you can write to",
    )
