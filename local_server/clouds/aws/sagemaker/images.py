"""The container images that SageMaker accepts, and those of them that run offline.

Sources: SageMaker API reference, ContainerDefinition (`Image` and `ImageConfig`); the service's
errors, quoted in sagemaker-python-sdk#4700 (an image outside ECR) and
easy-amazon-sagemaker-deployments#4 (an image that is not in its repository); `image_uris` of
sagemaker-core 2.27.0 for the accounts and the versions of AWS's images. Patch
releases and the rest of a tag after the device are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cloudserve.images.container_images import ACCOUNTS, SHARED_ACCOUNT, is_cloudserve

from ..protocol.errors import AwsError, invalid

_ECR = re.compile(
    r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"/([a-z0-9._/-]+?)(?::([\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)
_AWS_ACCOUNTS = frozenset(ACCOUNTS.values())
TENSORFLOW = "tensorflow-inference"
# tensorflow.json of sagemaker-python-sdk's `image_uri_config` has 1.13 to 2.12 (repository
# `tensorflow-inference`), its tests 2.13.0 and 2.14.1, sagemaker-core 2.16 to 2.20.
_MINORS = frozenset({"1.13", "1.14", "1.15", "2.16", "2.18", "2.19", "2.20"}) | {
    f"2.{minor}" for minor in range(15)
}
_TAG = re.compile(r"(\d+\.\d+)(?:\.\d+)?-(cpu|gpu)(?:-[\w.-]+)?")
_ALGORITHMS = re.compile(
    r"sagemaker-(?:scikit-learn|xgboost|tritonserver|sparkml-serving|pytorch|mxnet|chainer)[\w-]*"
)
"""Repositories of AWS's images for other frameworks, in other accounts."""
_FRAMEWORKS = re.compile(
    r"(?:pytorch|mxnet|huggingface|autogluon|djl|stabilityai|tensorflow)-[\w-]+|vllm|sglang"
)
"""Other repositories in the accounts above: other frameworks or other chips."""
_GPU = re.compile(r"ml\.(?:p\d|g\d)")


@dataclass(frozen=True, slots=True)
class Image:
    """The parts of an image's name in ECR."""

    account: str
    region: str
    repository: str
    tag: str

    @property
    def is_tensorflow(self) -> bool:
        """Return whether it is AWS's TensorFlow inference image, or a copy of that name."""
        return self.repository.rpartition("/")[2] == TENSORFLOW

    @property
    def is_replaced(self) -> bool:
        """Return whether cloudserve's server replaces the image, a user's own."""
        return not self.is_tensorflow and not is_cloudserve(self.repository)


def parse(image: str) -> Image | None:
    """Return the parts of an image in ECR; None if it is in another registry."""
    match = _ECR.fullmatch(image)
    return Image(match[1], match[2], match[3], match[4] or "") if match else None


def check_image(container: Mapping[str, Any], model: Mapping[str, Any], region: str) -> None:
    """Raise AwsError for an image that SageMaker rejects or that cannot run offline."""
    name = container["Image"]
    is_in_vpc = container.get("ImageConfig", {}).get("RepositoryAccessMode") == "Vpc"
    image = parse(name)
    if image is None:
        _check_other_registry(name, model, is_in_vpc=is_in_vpc)
        return
    if image.region != region:
        raise invalid(
            f"The image {name} is in {image.region}: the Docker image for inference container in"
            " Amazon EC2 Container Registry must be in the same region as the model or endpoint"
            f" you are creating, {region}."
        )
    _check_aws_image(name, image)


def _check_other_registry(name: str, model: Mapping[str, Any], *, is_in_vpc: bool) -> None:
    if not is_in_vpc:
        raise invalid(
            f'Using non-ECR image "{name}" without Vpc repository access mode is not supported.'
        )
    if "VpcConfig" not in model:
        raise invalid("VpcConfig is required with the RepositoryAccessMode Vpc.")


def _check_aws_image(name: str, image: Image) -> None:
    """Raise AwsError if AWS's registry does not hold the image, or for another framework."""
    is_aws = image.account in _AWS_ACCOUNTS
    others = _FRAMEWORKS if is_aws and image.repository != TENSORFLOW else _ALGORITHMS
    if others.fullmatch(image.repository) or _ALGORITHMS.fullmatch(image.repository):
        raise invalid(
            f"The image {name} is not available offline: of AWS's images only {TENSORFLOW} is."
        )
    if not is_aws:
        return
    is_held = image.account == ACCOUNTS.get(image.region, SHARED_ACCOUNT)
    if not (is_held and image.repository == TENSORFLOW and _is_known(image.tag, name)):
        raise invalid(f"Requested image {name} not found.")


def _is_known(tag: str, name: str) -> bool:
    match = _TAG.fullmatch(tag)
    return match[1] in _MINORS if match else not tag and "@sha256:" in name


def check_device(image: str, instance_type: str | None) -> None:
    """Raise AwsError for AWS's GPU image on a machine without a GPU: it needs NVIDIA's driver.

    `instance_type` is None for a serverless variant, which has no GPU. A CPU image on a GPU machine
    runs and leaves the GPU idle. The error has the text of the container's log,
    quoted in amazon-sagemaker-examples#613 (a GPU image on a CPU instance).
    """
    parsed = parse(image)
    if parsed is None or not parsed.is_tensorflow:
        return
    match = _TAG.fullmatch(parsed.tag)
    if match and match[2] == "gpu" and not _GPU.match(instance_type or ""):
        raise AwsError(
            "ModelError",
            "tensorflow_model_server: error while loading shared libraries: libcuda.so.1: cannot"
            " open shared object file: No such file or directory:"
            f" {instance_type or 'a serverless variant'} has no GPU.",
        )


def running_image(image: str, rehearsed: Collection[str]) -> str:
    """Return the image that a container runs, or the name of its replacement.

    `rehearsed` holds the images that a local command replaces. The name has no space: it is shown
    as a variant's ResolvedImage.
    """
    if image in rehearsed:
        return "offline/command:in-place-of-your-image"
    parsed = parse(image)
    if parsed is None or parsed.is_replaced:
        return "offline/cloudserve-model-server:in-place-of-your-image"
    return image
