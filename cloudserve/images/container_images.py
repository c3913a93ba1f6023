"""Rules that derive the server in a container image from the image's name; AWS's registries.

Adapters and the offline clouds share these rules. If they classified an image differently, a
rehearsal could pass although the real deployment fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

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


# AWS accounts whose registries hold the deep learning images, by region. Source: `image_uris` of
# sagemaker-core 2.27.0 (the SDK itself is 80 packages), November 2026.
SHARED_ACCOUNT = "763104351884"
_SHARED = (
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 "
    "eu-west-3 eu-north-1 ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 "
    "sa-east-1"
)
_OWN = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
}
"""Regions whose registry has its own account."""
ACCOUNTS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(_SHARED.split(), SHARED_ACCOUNT) | _OWN
)
