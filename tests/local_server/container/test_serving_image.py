"""Models that AWS's images cannot load fail offline too, also in users' images."""

from __future__ import annotations

import json
import shutil

import pytest
from cloudserve.local_server.container import serving_image_of
from cloudserve.local_server.runtime.loading.serving_image import ServingImage

AWS = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference"
BODY = b'{"instances": [[1.0, 2.0, 3.0]]}'


@pytest.fixture
def tree(keras_saved, tmp_path):
    shutil.copytree(keras_saved, tmp_path / "tree" / "dense" / "1")
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (f"{AWS}:2.20-cpu-py312", ServingImage("2.20")),
        (f"{AWS}:2.19.0-gpu", ServingImage("2.19")),
        (
            "520713654638.dkr.ecr.us-east-1.amazonaws.com/sagemaker-tensorflow-serving:1.12-cpu",
            ServingImage("1.12"),
        ),
        ("2.18", ServingImage("2.18")),
        ("", ServingImage()),
        (f"{AWS}:latest", ServingImage()),
        (
            "000000000000.dkr.ecr.us-east-1.amazonaws.com/tensorflow/serving:2.19.0-gpu",
            ServingImage("2.19"),
        ),
        (
            "000000000000.dkr.ecr.us-east-1.amazonaws.com/my-server:2.20",
            ServingImage(may_bring_ops=True),
        ),
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com/cloudserve:2.20", None),
    ],
)
def test_an_image_says_which_tensorflow_serving_is_in_it(image, expected):
    assert serving_image_of(image) == expected


@pytest.mark.parametrize("image", [ServingImage("2.20"), ServingImage(may_bring_ops=True)])
def test_an_image_answers_as_tensorflow_serving_does(tree, start, image):
    answer = start(tree, image=image).invoke(BODY)
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith("Could not find variable sequential/dense/")


def test_an_image_of_cloudserve_answers(tree, start):
    answer = start(tree, image=None).invoke(BODY)
    assert json.loads(answer.body) == {"predictions": [[6.0, 6.0]]}
