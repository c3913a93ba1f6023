"""A model with two inputs and three scores, and specs that explain it."""

from __future__ import annotations

import warnings

import pytest

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
SHAPLEY = {"sampledShapleyAttribution": {"pathCount": 25}}
GRADIENTS = {"integratedGradientsAttribution": {"stepCount": 20}}
METADATA = {
    "inputs": {
        "pixels": {"inputTensorName": "x"},
        "shift": {"inputTensorName": "bias"},
    },
    "outputs": {
        "likely": {"outputTensorName": "scores", "indexDisplayNameMapping": ["a", "b", "c"]}
    },
}
INSTANCE = {"x": [0.5, -0.25, 0.75, 9.0], "bias": 0.1}


@pytest.fixture(scope="session")
def scores(clouds, tmp_path_factory) -> str:
    """Give the URI of a model: scores = tanh(x · w + bias); the last of four `x` is not used."""
    import tensorflow as tf

    class Scores(tf.Module):
        def __init__(self) -> None:
            self.weights = tf.Variable([[1.0, -1, 0], [2, 0.5, 0], [1, 3, 0], [0, 0, 0]])

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 4], tf.float32, name="x"),
                tf.TensorSpec([None], tf.float32, name="bias"),
            ]
        )
        def scores(self, x, bias):
            return {"scores": tf.tanh(tf.matmul(x, self.weights) + bias[:, None])}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 4], tf.int32, name="x"),
                tf.TensorSpec([None], tf.float32, name="bias"),
            ]
        )
        def whole(self, x, bias):
            return self.scores(tf.cast(x, tf.float32), bias)

    module, folder = Scores(), tmp_path_factory.mktemp("scores")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signatures = {"serving_default": module.scores, "whole": module.whole}
        tf.saved_model.save(module, str(folder), signatures=signatures)
    clouds.upload("explained", "scores/", folder)
    return "gs://explained/scores"


@pytest.fixture(scope="module")
def explained(vertex_service, scores):
    """Give an endpoint, and the IDs of its models: by Shapley, by gradients, and without a spec."""
    vertex_service.parent = "projects/explained/locations/us-central1"
    endpoint = vertex_service.create_endpoint()
    spec = {"parameters": SHAPLEY, "metadata": METADATA}
    model = vertex_service.upload(scores, explanationSpec=spec)["name"]
    plain = vertex_service.upload(scores)["name"]
    deploy = vertex_service.deploy
    return {
        "endpoint": endpoint,
        "model": model,
        "shapley": deploy(endpoint, model, {"0": 100}),
        "gradients": deploy(endpoint, model, explanationSpec={"parameters": GRADIENTS}),
        "disabled": deploy(endpoint, model, disableExplanations=True),
        "plain": deploy(endpoint, plain),
    }
