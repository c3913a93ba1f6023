"""AWS's TensorFlow inference images: which account's registry holds them in which region.

From sagemaker-core 2.27.0's `image_uris` (the SDK itself is 80 packages), November 2026. Its
short tags (`2.19-cpu`) name the same images as the full ones here, which are not moved.
"""

from __future__ import annotations

import re

VERSION = "2.20"
ACCOUNT = "763104351884"
SHARED = (
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 "
    "eu-west-3 eu-north-1 ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 "
    "sa-east-1"
)
OWN = {
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
ACCOUNTS = dict.fromkeys(SHARED.split(), ACCOUNT) | OWN
TAGS = {
    "2.20": "{version}-{device}-py312",
    "2.19": "{version}.0-{device}",
    "2.18": "{version}.0-{device}",
    "2.16": "{version}.1-{device}",
}
"""Version -> tag, newest first; 2.17 has no image."""
TAG = re.compile(r"/?tensorflow-inference:(\d+\.\d+)")
DEVICE = re.compile(r":[\w.]+-(cpu|gpu)\b")
REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com")
GPU = re.compile(r"ml\.(p\d|g\d)")
"""Instance families with NVIDIA GPUs: ml.p4d.24xlarge, ml.g5.xlarge."""
OTHER_CHIPS = re.compile(r"ml\.([a-z]+\d+g[dn]*\.|inf\d|trn\d|dl\d|p6e-gb)")
"""Graviton, Inferentia, Trainium, Gaudi, Grace: no image of the table runs there."""


def default_image(region: str, instance_type: str, version: str = VERSION) -> str | None:
    """Return the image for an instance type in a region, or None where there is none."""
    account, tag = ACCOUNTS.get(region), TAGS.get(version or VERSION)
    if account is None or tag is None or OTHER_CHIPS.match(instance_type):
        return None
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    device = "gpu" if GPU.match(instance_type) else "cpu"
    host = f"{account}.dkr.ecr.{region}.{domain}"
    return f"{host}/tensorflow-inference:{tag.format(version=version or VERSION, device=device)}"


def tensorflow_of(image: str) -> str:
    """Return the TensorFlow version that the tag of one of AWS's images names, or ""."""
    found = TAG.search(image)
    return found[1] if found else ""


def device_of(image: str) -> str:
    """Return `cpu` or `gpu` as the tag of one of AWS's images names it, or ""."""
    found = DEVICE.search(image) if tensorflow_of(image) else None
    return found[1] if found else ""


def registry_of(image: str) -> tuple[str, str] | None:
    """Return the account and the region of an image in ECR, or None for one elsewhere."""
    found = REGISTRY.match(image)
    return (found[1], found[2]) if found else None
