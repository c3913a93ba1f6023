"""A model's files, copied from the bucket at upload, as Vertex AI copies them.

Later changes in the bucket do not affect a model. A copy consists of hard links, so it is cheap.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from cloudserve.errors import CloudserveError, ModelError

from ...runtime.loading.serving_image import ServingImage
from ..model_hosting import Source
from ..objects.store.errors import BucketExistsError, NoSuchBucketError
from ..objects.store.store import ObjectStore
from .records import failed_precondition, invalid

_URI = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?", re.DOTALL)
_PREBUILT = re.compile(r"[a-z]+-docker\.pkg\.dev/(?:vertex-ai|cloud-aiplatform)(?:-restricted)?/")
_TENSORFLOW = re.compile(r"/tf(?:2|_opt)?-(?:cpu|gpu|tpu)\.(\d+)-(\d+)(?=[:@]|$)")
"""`tf2-cpu.2-15:latest`; `tf-cpu.1-15` is TensorFlow 1."""
_CONTINENTS = {
    "us": ("us-",),
    "nam": ("us-", "northamerica-"),
    "eu": ("europe-",),
    "asia": ("asia-",),
}
"""Prefixes of multi-regions, and of the regions in them."""
_MANAGED = "cloudserve-managed-models"
_CHUNK = 2**20
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
_VERSION = re.compile(r"[0-9]{1,18}")


def source_of(uri: str, field: str = "artifact_uri") -> Source:
    """Return the bucket and key in a URI; raises ApiError for any other URI."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise invalid(f'"{uri}" is not valid for `{field}`: gs://BUCKET/PATH is expected.')
    path = (match[2] or "").strip("/")
    return Source(match[1], f"{path}/" if path else "")


def serving_image(image: str) -> ServingImage | None:
    """Return the TensorFlow Serving of a model's image; None for cloudserve's own server."""
    if not _PREBUILT.match(image):
        return ServingImage.of_user(image)
    match = _TENSORFLOW.search(image)
    return ServingImage(f"{match[1]}.{match[2]}" if match else "")


def check_bucket_location(store: ObjectStore, uri: str, location: str) -> None:
    """Refuse a bucket in another region than the service's (ApiError).

    The text is the service's (vertex-ai-samples#19). It refused multi-regions too, at least in
    2021; multi-regions of the service's continent are accepted here: a bucket's default location
    is one.
    """
    bucket = source_of(uri).bucket
    try:
        place = store.get_bucket(bucket).region.lower()
    except NoSuchBucketError:  # the copy reports that there are no files
        return
    if not place or place == location or _holds(place, location):
        return
    raise failed_precondition(
        f"The Cloud Storage bucket of `{uri}` is in location `{place}`. It must be in the same"
        f" regional location as the service location `{location}`."
    )


def _holds(place: str, location: str) -> bool:
    """Return whether a multi-region, or a pair such as `nam4`, is on a location's continent."""
    return "-" not in place and any(
        place.startswith(large) and location.startswith(small)
        for large, small in _CONTINENTS.items()
    )


class Artifacts:
    """The copies of all models' files, one folder per model."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self.store = store
        self._folder = folder

    def path(self, key: str) -> Path:
        """Return the path of the copy with this key."""
        return self._folder / key

    async def copy(self, key: str, model: Mapping[str, Any]) -> bool:
        """Copy a model's directory; return whether it has one. Raises ApiError with the reason."""
        uri = model.get("artifactUri")
        if not uri:
            return False
        source = source_of(uri)
        await asyncio.to_thread(self._check, uri, source, model)
        await self.remove(key)
        try:
            await asyncio.to_thread(self.store.checkout, source.bucket, source.key, self.path(key))
        except CloudserveError as error:
            raise failed_precondition(f"{uri} could not be copied: {error.message}") from error
        return True

    def _check(self, uri: str, source: Source, model: Mapping[str, Any]) -> None:
        """Refuse an empty directory, and one that a prebuilt TensorFlow image could not serve."""
        count, _ = source.usage(self.store)
        if not count:
            raise failed_precondition(f'There are no files under "{uri}" to copy.')
        image = model.get("containerSpec", {}).get("imageUri", "")
        names = [name for name in _SAVED_MODEL if source.holds(self.store, name)]
        if _PREBUILT.match(image) and len(names) != 1:
            raise failed_precondition(
                f"Model directory {uri} is expected to contain exactly one of:"
                f" [{', '.join(_SAVED_MODEL)}]."
            )

    def publish(self, key: str) -> str:
        """Put a copy into a bucket of the service and return its URI; blocks.

        The bucket belongs to no project, so lists of a project's buckets omit it, as Google's do.
        """
        root, prefix = self.path(key), f"{key}/"
        with suppress(BucketExistsError):
            self.store.create_bucket(_MANAGED)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            writer = self.store.writer()
            with path.open("rb") as file:
                while data := file.read(_CHUNK):
                    writer.write(data)
            name = f"{prefix}{path.relative_to(root).as_posix()}"
            self.store.put(_MANAGED, name, writer.finish())
        return f"gs://{_MANAGED}/{key}"

    async def duplicate(self, source: str | None, key: str) -> bool:
        """Duplicate a copy; return whether it exists. Raises ApiError if it was deleted."""
        if source is None:
            return False
        await self.remove(key)
        link = partial(shutil.copytree, copy_function=os.link)
        try:
            await asyncio.to_thread(link, self.path(source), self.path(key))
        except OSError as error:
            await self.remove(key)
            text = "The source model's files are gone: the model was deleted."
            raise failed_precondition(text) from error
        return True

    async def remove(self, key: str) -> None:
        """Remove a copy; a missing one is ignored."""
        await asyncio.to_thread(shutil.rmtree, self.path(key), ignore_errors=True)
        await asyncio.to_thread(self._unpublish, key)

    def _unpublish(self, key: str) -> None:
        with suppress(NoSuchBucketError):
            for info in tuple(self.store.walk(_MANAGED, f"{key}/")):
                self.store.delete(_MANAGED, info.key)

    def sweep(self, used: Collection[str]) -> None:
        """Remove unused copies, which a killed emulator may have left. Blocks."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in self._folder.iterdir():
            if folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def saved_model(self, key: str) -> Path:
        """Return the SavedModel in a copy: the directory itself, or its highest version.

        A prebuilt image serves the former; TensorFlow Serving in a custom image serves the latter
        as its model_base_path. Raises ModelError if there is neither.
        """
        root = self.path(key)
        if not root.is_dir():
            raise ModelError("The model's files are gone: the model was deleted.")
        folders = [path for path in root.iterdir() if _VERSION.fullmatch(path.name)]
        for folder in (root, *sorted(folders, key=lambda path: -int(path.name))):
            if any((folder / name).is_file() for name in _SAVED_MODEL):
                return folder
        raise ModelError(
            "No versions of servable found under base path: the model directory contains neither"
            f" {_SAVED_MODEL[0]} nor a numbered directory with one."
        )
