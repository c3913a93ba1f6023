"""The fields of a target with `provider: sagemaker`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from ..options import from_environment

ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$"


@dataclass(frozen=True, slots=True)
class Options:
    """The fields of a target with `provider: sagemaker`."""

    bucket: str
    role_arn: Annotated[str, msgspec.Meta(pattern=ROLE)]
    """The role that SageMaker reads the bucket as."""
    region: str = from_environment("AWS_REGION", "AWS_DEFAULT_REGION")
    instance_type: str = "ml.m5.large"
    instance_count: Annotated[int, msgspec.Meta(ge=1)] = 1
    image: str = ""
    """The container image; AWS's TensorFlow image of the region where it is not given."""
    profile: str = ""
    timeout_seconds: Annotated[int, msgspec.Meta(gt=0)] = 1800
    """How long an endpoint is waited for."""
