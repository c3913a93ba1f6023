"""Rules that derive the server in a container image from the image's name.

Adapters and the offline clouds share these rules. If they classified an image differently, a
rehearsal could pass although the real deployment fails.
"""

from __future__ import annotations

import re

_CLOUDSERVE = re.compile(r"(?:.*/)?cloudserve(?:-[\w.-]+)?(?:[:@].*)?")
_TENSORFLOW_SERVING = re.compile(
    r"(?:.*/)?(?:(?:tensorflow|tf)[-_/]?serving(?:[-_]gpu)?)(?::([\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)
"""`tensorflow/serving` of Docker Hub, and the names of its mirrors."""
_VERSION = re.compile(r"(\d+\.\d+)(?:\.\d+)*(?:-.*)?")


def is_cloudserve(image: str) -> bool:
    """Return whether an image was built by `cloudserve image`, whose server also runs offline.

    The last component of its repository is `cloudserve` or begins with `cloudserve-`
    (`cloudserve-gpu`).
    """
    return _CLOUDSERVE.fullmatch(image) is not None


def tensorflow_serving_of(image: str) -> str | None:
    """Return the TensorFlow version of an image named TensorFlow Serving, such as `2.19`.

    Returns "" if the tag is not a version (`latest`), None for an image with another name.
    """
    match = _TENSORFLOW_SERVING.fullmatch(image)
    if match is None:
        return None
    version = _VERSION.fullmatch(match[1] or "")
    return version[1] if version else ""
