"""Every image but cloudserve's own restores a model as TensorFlow Serving does."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.clouds.vertex.artifacts import serving_image
from cloudserve.local_server.clouds.vertex.images import check_image
from cloudserve.local_server.runtime.loading.serving_image import ServingImage

PREBUILT = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
OWN = "us-central1-docker.pkg.dev/p/r/cloudserve:1"
BODY = {"instances": [[1.0, 2.0, 3.0]]}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PREBUILT, ServingImage("2.15")),
        ("europe-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-8", ServingImage("2.8")),
        ("us-docker.pkg.dev/vertex-ai/prediction/tf-cpu.1-15:latest", ServingImage("1.15")),
        ("us-docker.pkg.dev/vertex-ai-restricted/prediction/tf_opt-cpu.nightly", ServingImage()),
        ("us-docker.pkg.dev/p/r/tensorflow-serving:2.19", ServingImage("2.19")),
        ("us-docker.pkg.dev/p/r/my-server:1", ServingImage(may_bring_ops=True)),
        (OWN, None),
    ],
)
def test_an_image_says_which_tensorflow_serving_is_in_it(image, expected):
    assert serving_image(image) == expected


@pytest.fixture
def deployed(vertex, clouds, keras_saved, fresh):
    """Give a function that deploys the model in an image; it returns the endpoint's name."""
    clouds.upload(fresh, "dense/1/", keras_saved)

    def deploy(image: str) -> str:
        model = vertex.upload(f"gs://{fresh}/dense/1", containerSpec={"imageUri": image})
        endpoint = vertex.create_endpoint()
        vertex.deploy(endpoint, model["name"], {"0": 100})
        return endpoint

    return deploy


@pytest.mark.parametrize(
    "image",
    [
        PREBUILT,
        "us-docker.pkg.dev/p/r/tensorflow-serving:2.19",
        "us-docker.pkg.dev/p/r/my-server:1",
    ],
)
def test_a_model_that_tensorflow_serving_does_not_restore_fails_every_request(
    vertex, deployed, image
):
    endpoint = deployed(image)
    status, answer = vertex.call("POST", f"{endpoint}:predict", json=BODY)
    assert status == 400
    assert "Could not find variable sequential/dense/" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("vertex-ai/prediction/tf2-gpu.2-1:latest", True),
        ("vertex-ai/prediction/tf-cpu.1-15:latest", True),
        ("cloud-aiplatform/prediction/tf2-cpu.2-3:latest", True),
        ("vertex-ai-restricted/prediction/tf_opt-cpu.nightly:latest", True),
        ("vertex-ai-restricted/prediction/tf_opt-gpu.2-17:latest", True),
        ("vertex-ai/prediction/tf_opt-cpu.2-15:latest", False),
        ("vertex-ai-restricted/prediction/tf2-cpu.2-15:latest", False),
        ("vertex-ai-restricted/prediction/tf_opt-cpu.weekly:latest", False),
        ("vertex-ai/prediction/tf2-cpu.2-16:latest", False),
        ("vertex-ai/prediction/tf-cpu.1-14:latest", False),
    ],
)
def test_prebuilt_images_are_those_that_exist(name, is_known):
    with nullcontext() if is_known else pytest.raises(ApiError, match="not one of the prebuilt"):
        check_image(f"us-docker.pkg.dev/{name}")


def test_an_endpoint_says_that_another_server_answers_in_an_images_place(vertex, deployed):
    image = "us-docker.pkg.dev/p/r/my-server:1"
    (shown,) = vertex.endpoints.get(name=deployed(image)).execute()["deployedModels"]
    assert shown["status"]["message"] == (
        f"The image {image} is not run offline: cloudserve's TensorFlow server answers in its"
        " place."
    )
    (shown,) = vertex.endpoints.get(name=deployed(OWN)).execute()["deployedModels"]
    assert "message" not in shown["status"]


def test_the_same_files_are_answered_with_in_an_image_of_cloudserve(vertex, deployed):
    status, answer = vertex.call("POST", f"{deployed(OWN)}:predict", json=BODY)
    assert (status, answer["predictions"]) == (200, [[6.0, 6.0]])
