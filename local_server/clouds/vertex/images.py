"""Container images that Vertex AI accepts, and those of them that run offline.

Sources: aiplatform v1, ModelContainerSpec.imageUri ("This URI must identify an image in Artifact
Registry or Container Registry", and it is read when a model is uploaded); Vertex AI, "Prebuilt
containers for inference" for the names ("Using image names without the latest tag isn't
supported"), google-cloud-aiplatform's `constants/prediction.py` for those of TensorFlow 2 and 1.15,
public pipelines for `vertex-ai-restricted/prediction/tf_opt-cpu.2-17`. The error texts are our own.

Retired images are accepted. The framework support policy says that services "might block the
creation of new resources using these images", but there is no source for the error or its date. The
adapter refuses them by date before it sends anything.
"""

from __future__ import annotations

import re

from cloudserve.images.container_images import is_cloudserve

from .records import invalid

_REGISTRY = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)/[\w.-]+/.+")
_PREBUILT = re.compile(
    r"[a-z]+-docker\.pkg\.dev/((?:vertex-ai|cloud-aiplatform)(?:-restricted)?/prediction/(.+))"
)
_TENSORFLOW = re.compile(
    r"[a-z-]+(?<!-restricted)/prediction/(?:tf2-[cg]pu\.2-(?:[1-9]|1[0-5])|tf-[cg]pu\.1-15):latest"
)
_OPTIMIZED = re.compile(r"[a-z-]+-restricted/prediction/tf_opt-[cg]pu\.(?:nightly|2-\d+):latest")
"""The optimized TensorFlow runtime."""
_OTHERS = re.compile(r"(pytorch|sklearn|xgboost|scikit-learn)-[cg]pu\..+")


def check_image(uri: str) -> None:
    """Refuse an image that Vertex AI refuses, or that does not run offline (ApiError)."""
    if not _REGISTRY.fullmatch(uri):
        raise invalid(
            f'"{uri}" is not valid for `image_uri`: it must identify an image in Artifact Registry'
            " or Container Registry."
        )
    prebuilt = _PREBUILT.fullmatch(uri)
    if prebuilt is None:
        return
    other = _OTHERS.fullmatch(prebuilt[2])
    if other:
        raise invalid(
            f"The image {uri} is not available offline: of the prebuilt ones only those of"
            f" TensorFlow are, not {other[1]}."
        )
    if not (_TENSORFLOW.fullmatch(prebuilt[1]) or _OPTIMIZED.fullmatch(prebuilt[1])):
        raise invalid(f"The image {uri} is not one of the prebuilt images for inference.")


def is_prebuilt(uri: str) -> bool:
    """Return whether an image is one of Google's prebuilt images for inference."""
    return _PREBUILT.fullmatch(uri) is not None


def is_optimized(uri: str) -> bool:
    """Return whether an image is one of the optimized TensorFlow runtime."""
    prebuilt = _PREBUILT.fullmatch(uri)
    return prebuilt is not None and _OPTIMIZED.fullmatch(prebuilt[1]) is not None


def is_tensorflow_2(uri: str) -> bool:
    """Return whether an image is a prebuilt one of TensorFlow 2, without Google's optimizations."""
    prebuilt = _PREBUILT.fullmatch(uri)
    return prebuilt is not None and prebuilt[2].startswith("tf2-")


def stand_in(uri: str) -> str:
    """Return a note for an image that is replaced by another server; "" for others."""
    if is_prebuilt(uri) or is_cloudserve(uri):
        return ""
    return (
        f"The image {uri} is not run offline: cloudserve's TensorFlow server answers in its place."
    )
