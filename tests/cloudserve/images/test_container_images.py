"""The server in a container image, derived from the image's name."""

from __future__ import annotations

import pytest

from cloudserve.images.container_images import is_cloudserve, tensorflow_serving_of

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("tensorflow/serving", ""),
        ("tensorflow/serving:2.19.0", "2.19"),
        (f"{ECR}/tensorflow/serving:2.19.0-gpu", "2.19"),
        (f"{ECR}/tensorflow-serving:2.19", "2.19"),
        (f"{ECR}/mirror/tf-serving:2.18.0", "2.18"),
        (f"{ECR}/tensorflow_serving:latest", ""),
        (f"{ECR}/tensorflow-serving@sha256:{'0' * 64}", ""),
        ("us-docker.pkg.dev/p/r/tensorflow-serving-gpu:2.17.1-devel", "2.17"),
        ("us-docker.pkg.dev/p/r/my-tensorflow-serving:2.17", None),
        ("us-docker.pkg.dev/p/r/tensorflow-serving-with-keras:2.17", None),
        ("us-docker.pkg.dev/p/r/serving:2.19", None),
        ("us-docker.pkg.dev/tensorflow/serving/server:1", None),
    ],
)
def test_a_mirror_of_tensorflow_serving_is_recognised_by_its_name(image, expected):
    assert tensorflow_serving_of(image) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("cloudserve", True),
        (f"{ECR}/cloudserve:1", True),
        (f"{ECR}/team/cloudserve-gpu@sha256:{'0' * 64}", True),
        (f"{ECR}/cloudserver:1", False),
        (f"{ECR}/cloudserve/other:1", False),
    ],
)
def test_cloudserves_image_is_recognised_by_its_name(image, expected):
    assert is_cloudserve(image) is expected
