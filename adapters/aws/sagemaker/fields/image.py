"""The container image of a target: its field `image`, or AWS's for its region and machine."""

from __future__ import annotations

from cloudserve.errors import ProjectError
from cloudserve.images.container_images import ACCOUNTS
from cloudserve.project import Where

from ..images import OTHER_CHIPS, TAGS, default_image, registry_of
from .options import Options


def image_of(options: Options, where: Where) -> str:
    """Return the URI of the image; raises ProjectError if SageMaker cannot pull it."""
    if options.image:
        return _own_image(options, where)
    kind, version = options.instance_type, options.tensorflow_version
    kind = "" if options.serverless else kind
    if version and version not in TAGS:
        raise ProjectError(
            f"AWS has no image of TensorFlow {version} that this version knows",
            where=where("tensorflow_version"),
            hint=f"choose one of {', '.join(TAGS)}, or name a container with `image`",
        )
    image = default_image(options.region, kind, version)
    if image:
        return image
    if OTHER_CHIPS.match(kind) and options.region in ACCOUNTS:
        raise ProjectError(
            f"AWS's TensorFlow image does not run on {kind}",
            where=where("instance_type"),
            hint="choose one with an Intel, AMD or NVIDIA chip, or name a container with `image`",
        )
    raise ProjectError(
        f"AWS has no TensorFlow image in `{options.region}` that this version knows",
        where=where("region"),
        hint="correct `region`, or name a container with `image`",
    )


def _own_image(options: Options, where: Where) -> str:
    registry = registry_of(options.image)
    if registry is None:
        raise ProjectError(
            f"the image `{options.image}` is not in ECR",
            where=where("image"),
            hint="SageMaker pulls images from ECR: push it to ACCOUNT.dkr.ecr."
            f"{options.region}.amazonaws.com",
        )
    account, region = registry
    if region != options.region:
        raise ProjectError(
            f"the image is in {region} and the endpoint in {options.region}",
            where=where("image"),
            hint="SageMaker pulls images from its own region: correct one of them",
        )
    known = ACCOUNTS.get(region)
    if account in set(ACCOUNTS.values()) and account != known:
        raise ProjectError(
            f"AWS's images of {region} are in the account {known}, not {account}",
            where=where("image"),
            hint="leave `image` out for the one of the region",
        )
    if options.tensorflow_version:
        raise ProjectError(
            "`image` says which TensorFlow serves",
            where=where("tensorflow_version"),
            hint="leave one of them out",
        )
    return options.image
