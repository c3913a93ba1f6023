"""The configuration and the manifest of an image.

Source: OCI image specification 1.1: descriptor.md, manifest.md, config.md, image-index.md and
media-types.md ("Compatibility Matrix": Docker's schema 2 has the same blobs under other types).
CNCF Distribution, "Image Manifest Version 2, Schema 2".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudserve.errors import UserError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ACCEPTED = (INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
OS, ARCHITECTURE = "linux", "amd64"
CREATED = "1970-01-01T00:00:00Z"
"""A fixed time, so that the same files give the same image."""
_TAR = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_TAR = "application/vnd.docker.image.rootfs.diff.tar"
_LAYER_TYPES = {
    LAYER: LAYER,
    DOCKER_LAYER: LAYER,
    _TAR: _TAR,
    _DOCKER_TAR: _TAR,
    "application/vnd.oci.image.layer.v1.tar+zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
"""Layers of a base image that may be used, and their types in an OCI manifest."""
_DOCKER_TYPES = {CONFIG: DOCKER_CONFIG, LAYER: DOCKER_LAYER, _TAR: _DOCKER_TAR}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The media type, digest and size of a blob (descriptor.md, "Properties")."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """Return the descriptor as the specification writes it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Base:
    """A base image: the descriptors of its layers, its configuration, its name."""

    name: str
    digest: str
    layers: tuple[Descriptor, ...]
    config: Mapping[str, Any]

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of the base image."""
        settings = self.config.get("config") or {}
        return dict(line.partition("=")[::2] for line in settings.get("Env") or ())


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a container of the image runs."""

    entrypoint: tuple[str, ...]
    variables: Mapping[str, str]
    user: str
    port: int
    folder: str


def digest_of(data: bytes) -> str:
    """Return the SHA-256 digest of a blob."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON; equal documents give equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def choose_manifest(index: Mapping[str, Any], name: str) -> Descriptor:
    """Return the manifest of an index for Linux on x86-64; raises UserError if there is none."""
    for item in index.get("manifests", ()):
        platform = item.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == (OS, ARCHITECTURE):
            return Descriptor(item["mediaType"], item["digest"], item["size"])
    raise UserError(
        f"the image has no variant for {OS}/{ARCHITECTURE}",
        where=name,
        hint="choose another base image with --base",
    )


def base_layers(manifest: Mapping[str, Any], name: str) -> tuple[Descriptor, ...]:
    """Return the layers of a manifest, with OCI types; raises UserError for other types."""
    layers = []
    for item in manifest["layers"]:
        media_type = _LAYER_TYPES.get(item["mediaType"])
        if media_type is None:
            raise UserError(
                f"a layer of the base image has the type {item['mediaType']}, which is not copied",
                where=name,
                hint="name another base image",
            )
        layers.append(Descriptor(media_type, item["digest"], item["size"]))
    return tuple(layers)


def image_config(base: Base, runtime: Runtime, layers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the configuration; `layers` are the DiffID and the description of each new layer."""
    settings = dict(base.config.get("config") or {})
    settings.pop("Cmd", None)  # the base image's command would be an argument of the entrypoint
    settings |= {
        "Entrypoint": list(runtime.entrypoint),
        "Env": [f"{k}={v}" for k, v in (base.variables | dict(runtime.variables)).items()],
        "ExposedPorts": {f"{runtime.port}/tcp": {}},
        "User": runtime.user,
        "WorkingDir": runtime.folder,
    }
    rootfs = base.config.get("rootfs") or {}
    history = [{"created": CREATED, "created_by": text} for _, text in layers]
    settings["Labels"] = {**(settings.get("Labels") or {}), **_base_names(base)}
    return {
        "architecture": ARCHITECTURE,
        "os": OS,
        "created": CREATED,
        "config": settings,
        "rootfs": {
            "type": "layers",
            "diff_ids": [*rootfs.get("diff_ids", ()), *(diff_id for diff_id, _ in layers)],
        },
        "history": [*(base.config.get("history") or ()), *history],
    }


def image_manifest(base: Base, config: bytes, layers: Sequence[Descriptor]) -> bytes:
    """Return the OCI manifest of an image, which names its base (annotations.md)."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor(CONFIG, digest_of(config), len(config)).as_json(),
            "layers": [layer.as_json() for layer in (*base.layers, *layers)],
            "annotations": _base_names(base),
        }
    )


def _base_names(base: Base) -> dict[str, str]:
    """Return the annotations that name a base; they are labels too, which Docker's images have."""
    return {
        "org.opencontainers.image.base.name": base.name,
        "org.opencontainers.image.base.digest": base.digest,
    }


def docker_manifest(manifest: bytes) -> bytes:
    """Return the manifest of the same image in Docker's schema 2, which has no annotations.

    SageMaker takes no other: CreateModel answers "Unsupported manifest media type
    application/vnd.oci.image.manifest.v1+json for image …" (aws/amazon-sagemaker-feedback#180,
    mlflow#13834). Artifact Registry and ECR take both. Raises UserError for a layer that the schema
    has no type for.
    """
    document = json.loads(manifest)
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": _docker_descriptor(document["config"]),
            "layers": [_docker_descriptor(layer) for layer in document["layers"]],
        }
    )


def _docker_descriptor(item: Mapping[str, Any]) -> dict[str, Any]:
    media_type = _DOCKER_TYPES.get(item["mediaType"])
    if media_type is None:
        raise UserError(
            f"a layer of the base image has the type {item['mediaType']}, which Docker's manifests "
            "do not have",
            hint="choose a base image with gzip layers (--base), or write the image with --output",
        )
    return {**item, "mediaType": media_type}
