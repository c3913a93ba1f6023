"""The generations of AWS's images, which behave differently, by the tag of their URI."""

from __future__ import annotations

import re
from enum import Enum

from ..runtime.loading.serving_image import ServingImage

# `…/tensorflow-inference:2.20-cpu-py312`, `…:2.19.0-gpu`, `…-serving:1.15-cpu`.
_TAG = re.compile(r":(\d+)\.(\d+)(?:\.\d+)?(?:[-_][^/]*)?$")
_FIRST_NEW = (2, 20)


_TENSORFLOW = re.compile(r"tensorflow-(?:inference|serving)(?:-eia)?:")


class Release(Enum):
    """A generation of the image; the value is the last version known to belong to it."""

    V2_19 = "2.19"
    V2_20 = "2.20"


def release_of(image: str) -> Release:
    """Return how an image behaves: as 2.20 from that version on, and where its tag tells none."""
    match = _TAG.search(image)
    if match is None or (int(match[1]), int(match[2])) >= _FIRST_NEW:
        return Release.V2_20
    return Release.V2_19


def serving_image_of(image: str) -> ServingImage | None:
    """Return the TensorFlow Serving of an image; None for cloudserve's server.

    `image` is a URI, a version such as `2.19`, or "" for the newest.
    """
    if image and "/" in image and not _TENSORFLOW.search(image):
        return ServingImage.of_user(image)
    match = _TAG.search(f":{image}" if image[:1].isdigit() else image)
    return ServingImage(f"{match[1]}.{match[2]}" if match else "")
