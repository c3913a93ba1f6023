"""An image as a directory (OCI image specification 1.1, image-layout.md)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

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
from cloudserve.output_folder import output_folder

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
    with output_folder(folder, "the image") as draft:
        _fill(draft, documents, layers, base_layers, fetch)


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
