"""Specs of explanations that the service refuses, or that are not available offline."""

from __future__ import annotations

import math

import pytest
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.clouds.vertex.explanation.rules import indices_of

from tests.local_server.clouds.vertex.explanation.conftest import GRADIENTS, METADATA, SHAPLEY

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
OLD = "us-docker.pkg.dev/vertex-ai/prediction/tf-cpu.1-15:latest"
OWN = "us-docker.pkg.dev/p/r/serving:1"
PLAIN = {"inputs": {"x": {}}, "outputs": {"y": {}}}


def with_input(**fields) -> dict:
    return METADATA | {"inputs": {"pixels": {"inputTensorName": "x"} | fields}}


@pytest.mark.parametrize(
    ("image", "parameters", "metadata", "text"),
    [
        (IMAGE, {}, METADATA, "Exactly one attribution method"),
        (IMAGE, SHAPLEY | GRADIENTS, METADATA, "Exactly one attribution method"),
        (IMAGE, {"sampledShapleyAttribution": {}}, METADATA, "path_count` is 0; it must be 1 to"),
        (
            IMAGE,
            {"integratedGradientsAttribution": {"stepCount": 101}},
            METADATA,
            "step_count` is 101; it must be 1 to 100",
        ),
        (IMAGE, SHAPLEY | {"topK": -2}, METADATA, "top_k` must be positive, or -1"),
        (IMAGE, SHAPLEY | {"outputIndices": ["x"]}, METADATA, "must be an array of integers"),
        (IMAGE, SHAPLEY | {"outputIndices": [True]}, METADATA, "must be an array of integers"),
        (IMAGE, SHAPLEY | {"outputIndices": [[]]}, METADATA, "must be an array of integers"),
        (IMAGE, SHAPLEY, METADATA | {"outputs": {}}, "must have exactly one key"),
        (IMAGE, SHAPLEY, METADATA | {"inputs": {}}, "inputs` is required"),
        (IMAGE, SHAPLEY, PLAIN, "The field `input_tensor_name` of `x` is required."),
        (OWN, SHAPLEY, METADATA, "applies to prebuilt TensorFlow images only"),
        (OWN, SHAPLEY, {}, "inputs` is required"),
        (OWN, GRADIENTS, PLAIN, "Integrated gradients need a prebuilt image of TensorFlow"),
    ],
)
def test_a_spec_that_cannot_be(vertex, refused, image, parameters, metadata, text):
    status, code, message = refused(upload(vertex, image, parameters, metadata))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert text in message


@pytest.mark.parametrize(
    ("image", "parameters", "metadata", "text"),
    [
        (IMAGE, {"xraiAttribution": {"stepCount": 9}}, METADATA, "parameters.xrai_attribution"),
        (IMAGE, {"examples": {"neighborCount": 3}}, METADATA, "parameters.examples"),
        (
            IMAGE,
            {
                "integratedGradientsAttribution": {
                    "stepCount": 9,
                    "smoothGradConfig": {"noiseSigma": 1},
                }
            },
            METADATA,
            "smooth_grad_config",
        ),
        (IMAGE, SHAPLEY, with_input(encoding="BAG_OF_FEATURES"), "The encoding BAG_OF_FEATURES"),
        (IMAGE, SHAPLEY, with_input(modality="image"), "The modality image"),
        (IMAGE, GRADIENTS, with_input(encodedTensorName="e"), "encoded_tensor_name"),
        (OLD, SHAPLEY, METADATA, "explanation_spec of this prebuilt image"),
    ],
)
def test_a_spec_that_is_not_available_offline(vertex, refused, image, parameters, metadata, text):
    status, code, message = refused(upload(vertex, image, parameters, metadata))
    assert (status, code) == (501, "UNIMPLEMENTED")
    assert text in message
    assert message.endswith("is not available offline.")


def upload(vertex, image, parameters, metadata):
    model = {
        "displayName": "m",
        "artifactUri": "gs://models/double/1",
        "containerSpec": {"imageUri": image},
        "explanationSpec": {"parameters": parameters, "metadata": metadata},
    }
    return vertex.models.upload(parent=vertex.parent, body={"model": model})


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (METADATA | {"outputs": {"o": {"outputTensorName": "StatefulPartitionedCall"}}}, None),
        (METADATA | {"inputs": {"i": {"inputTensorName": "input_1"}}}, "input_1"),
    ],
)
def test_tensors_are_those_of_the_signature(vertex, scores, metadata, name):
    """The words are the service's (GoogleCloudPlatform/magic-modules#12171)."""
    spec = {"parameters": SHAPLEY, "metadata": metadata}
    model = {
        "displayName": "m",
        "artifactUri": scores,
        "containerSpec": {"imageUri": IMAGE},
    }
    body = {"model": model | {"explanationSpec": spec}}
    error = vertex.finish(vertex.models.upload(parent=vertex.parent, body=body).execute())["error"]
    assert error["code"] == 3
    assert error["message"].startswith("Error occurred in Explanation preprocessing.")
    assert f"KeyError: '{name or 'StatefulPartitionedCall'}'" in error["message"]
    plain = vertex.upload(scores)["name"]
    deployed = {
        "model": plain,
        "explanationSpec": spec,
        "dedicatedResources": {
            "machineSpec": {"machineType": "n1-standard-2"},
            "minReplicaCount": 1,
        },
    }
    deploy = vertex.endpoints.deployModel(
        endpoint=vertex.create_endpoint(), body={"deployedModel": deployed}
    )
    assert vertex.finish(deploy.execute())["error"] == error


def test_an_own_image_explains_the_keys_of_its_instances(vertex):
    """cloudserve's server answers in its place; its predictions have no keys for one output."""
    spec = {"parameters": SHAPLEY, "metadata": {"inputs": {"x": {}}, "outputs": {"y": {}}}}
    model = vertex.upload(containerSpec={"imageUri": OWN}, explanationSpec=spec)["name"]
    endpoint = vertex.create_endpoint()
    vertex.deploy(endpoint, model, {"0": 100})
    for instance in (3.0, {"x": 3.0}):
        body = {"instances": [instance]}
        answer = vertex.endpoints.explain(endpoint=endpoint, body=body).execute()
        assert answer["explanations"] == [
            {
                "attributions": [
                    {
                        "baselineOutputValue": 0.0,
                        "instanceOutputValue": 6.0,
                        "featureAttributions": {"x": 6.0},
                        "approximationError": 0.0,
                        "outputName": "y",
                    }
                ]
            }
        ]
    negative = {"instances": [3.0], "parameters": {"signature_name": "negative"}}
    answer = vertex.endpoints.explain(endpoint=endpoint, body=negative).execute()
    assert answer["predictions"] == [-6.0]


@pytest.mark.parametrize("number", [math.inf, math.nan, 0.5])
def test_a_number_that_is_no_integer_is_no_index(number):
    """A Value of gRPC can be infinite."""
    with pytest.raises(ApiError, match="must be an array of integers"):
        indices_of({"outputIndices": [number]})
