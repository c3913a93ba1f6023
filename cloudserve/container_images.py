"""What the name of a container image says of the server in it. Both sides decide by it.

Adapters plan by these rules and the offline clouds run by them: a plan that calls an image one
thing and a rehearsal that runs another would be a false green.
"""

from __future__ import annotations

import re

_CLOUDSERVE = re.compile(r"(?:.*/)?cloudserve(?:-[\w.-]+)?(?:[:@].*)?")
_TENSORFLOW_SERVING = re.compile(
    r"(?:.*/)?(?:(?:tensorflow|tf)[-_/]?serving(?:[-_]gpu)?)(?::([\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)
"""`tensorflow/serving` of Docker Hub by the names that mirrors of it have."""
_VERSION = re.compile(r"(\d+\.\d+)(?:\.\d+)*(?:-.*)?")


def is_cloudserve(image: str) -> bool:
    """Say whether an image is one of `cloudserve image`, whose server also runs offline.

    Its repository's last name is `cloudserve`, or begins with `cloudserve-`: `cloudserve-gpu`.
    """
    return _CLOUDSERVE.fullmatch(image) is not None


def tensorflow_serving_of(image: str) -> str | None:
    """Return the TensorFlow of an image that its name calls TensorFlow Serving, such as `2.19`.

    "" where the tag names no version (`latest`), None for an image of another name.
    """
    found = _TENSORFLOW_SERVING.fullmatch(image)
    if found is None:
        return None
    version = _VERSION.fullmatch(found[1] or "")
    return version[1] if version else ""
