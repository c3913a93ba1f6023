"""Checks before a release: what Vertex AI would refuse, and later surprises as warnings.

Source: Vertex AI, "Import models": artifacts are in a bucket of the endpoint's region and are at
most 10 GB together (read in November 2026).
"""

from __future__ import annotations

from typing import Protocol

from cloudserve.errors import UserError
from cloudserve.plural import counted
from cloudserve.release.planning.fitness import check_own_image, check_prebuilt
from cloudserve.release.types import Artifact

from ..fields.images import image_warnings, multi_region, served_version
from ..fields.options import Options

LARGEST = 10 * 10**9
CONTINENTS = {"us": ("US", "NAM"), "europe": ("EU",), "asia": ("ASIA",)}
"""Nearest registry -> how the multi-regions and pairs of its continent begin."""


class Located(Protocol):
    """A bucket that says where it is."""

    @property
    def url(self) -> str:
        """Return the bucket's URL."""
        ...

    def location(self) -> str | None:
        """Return the bucket's location in capitals, or None while there is no bucket."""
        ...


def check(artifact: Artifact, options: Options, bucket: Located) -> tuple[str, ...]:
    """Return what to warn of.

    Raises UserError for what Vertex AI would refuse, ModelError for a model that its prebuilt image
    cannot answer with.
    """
    if artifact.size > LARGEST:
        raise UserError(
            f"the model has {counted(artifact.size, 'byte')}; Vertex AI takes {LARGEST:,}",
            where=bucket.url,
            hint="export it without optimizer state, or build it into a container image",
        )
    check_bucket_region(options.region, bucket)
    version, gpu = served_version(options), bool(options.accelerator_type)
    if version is None:
        return (*check_own_image(artifact, options.image, gpu=gpu), *image_warnings(options))
    unsure = check_prebuilt(artifact, "the prebuilt image", version, gpu=gpu)
    return (*image_warnings(options), *unsure)


def check_bucket_region(region: str, bucket: Located) -> None:
    """Raise UserError if Vertex AI would not read models from the bucket's region."""
    location = bucket.location()
    if location is None or location == region.upper():
        return
    is_region = "-" in location
    if not is_region and location.startswith(CONTINENTS[multi_region(region)]):
        return
    raise UserError(
        f"the bucket is in {location.lower()} and the endpoint in {region}",
        where=bucket.url,
        hint="Vertex AI reads models from a bucket of its own region: choose a bucket or `region`",
    )
