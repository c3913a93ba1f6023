"""AWS's TensorFlow inference images: their names, by region, version and device.

From sagemaker-core 2.27.0's `image_uris`, November 2026. Its short tags (`2.19-cpu`) name the same
images as the full ones here, which are not moved.
"""

from __future__ import annotations

import re

from cloudserve.images.container_images import ACCOUNTS

VERSION = "2.20"
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

BURSTABLE = re.compile(r"ml\.t\d")
"""Instances with CPU credits, which are not scaled.

Source: developer guide, "Configure model auto scaling with the console": "SageMaker doesn't support
auto scaling for burstable instances such as T2".
"""
INF1 = "ml.inf1."
"""Instances without deployment guardrails and shadow tests (developer guide, "Exclusions")."""
ARM = re.compile(r"ml\.([a-z]+\d+g[dn]*\.|p6e-gb)")
LOCAL_STORAGE = re.compile(
    r"ml\.([cmr]\d+[a-z]*d|g4dn|g[567]e?|p3dn|p4de?|p5(en?)?|p6e?-\w+|trn\dn?|dl1)\."
)
"""Instances with disks of their own: SageMaker attaches no volume to them.

Source: sagemaker-python-sdk#3870, #4828; "Instance Store Volumes" of the EC2 user guide. That the
service refuses a volume for `g7`, `p6` and `dl1` too is taken from their predecessors.
"""


def default_image(region: str, instance_type: str, version: str = VERSION) -> str | None:
    """Return the image for an instance type in a region; None if AWS has no such image."""
    account, tag = ACCOUNTS.get(region), TAGS.get(version or VERSION)
    if account is None or tag is None or OTHER_CHIPS.match(instance_type):
        return None
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    device = "gpu" if GPU.match(instance_type) else "cpu"
    host = f"{account}.dkr.ecr.{region}.{domain}"
    return f"{host}/tensorflow-inference:{tag.format(version=version or VERSION, device=device)}"


def tensorflow_of(image: str) -> str:
    """Return the TensorFlow version that the tag of one of AWS's images names, or ""."""
    match = TAG.search(image)
    return match[1] if match else ""


def device_of(image: str) -> str:
    """Return `cpu` or `gpu` as the tag of one of AWS's images names it, or ""."""
    match = DEVICE.search(image) if tensorflow_of(image) else None
    return match[1] if match else ""


def registry_of(image: str) -> tuple[str, str] | None:
    """Return the account and the region of an image in ECR, or None for one elsewhere."""
    match = REGISTRY.match(image)
    return (match[1], match[2]) if match else None
