"""`Endpoint.explain` on a real model, asked by googleapiclient and by Google's SDK."""

from __future__ import annotations

import math

import pytest

from tests.local_server.clouds.vertex.explanation.conftest import INSTANCE, METADATA, SHAPLEY

WEIGHTS = [[1.0, -1.0, 0.0], [2.0, 0.5, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.fixture
def explain(vertex_service, explained):
    """Give a function that explains instances by a deployed model."""

    def explain(deployed="shapley", instances=(INSTANCE,), **fields):
        body = {"deployedModelId": explained[deployed], "instances": list(instances)} | fields
        return vertex_service.endpoints.explain(endpoint=explained["endpoint"], body=body)

    return explain


def scored(instance) -> list[float]:
    sums = [sum(x * w[i] for x, w in zip(instance["x"], WEIGHTS, strict=True)) for i in range(3)]
    return [math.tanh(total + instance["bias"]) for total in sums]


def total(attribution) -> float:
    pixels, shift = (attribution["featureAttributions"][key] for key in ("pixels", "shift"))
    return sum(pixels) + shift


@pytest.mark.parametrize("method", ["shapley", "gradients"])
def test_attributions_add_up_and_leave_out_what_is_not_used(explain, explained, method):
    answer = explain(method).execute()
    assert answer["deployedModelId"] == explained[method]
    assert answer["predictions"][0] == pytest.approx(scored(INSTANCE))
    ((attribution,),) = [each["attributions"] for each in answer["explanations"]]
    best = scored(INSTANCE).index(max(scored(INSTANCE)))
    assert attribution["outputIndex"] == [best]
    assert attribution["outputName"] == "likely"
    assert attribution["outputDisplayName"] == "abc"[best]
    assert attribution["instanceOutputValue"] == pytest.approx(max(scored(INSTANCE)))
    assert attribution["baselineOutputValue"] == 0.0
    assert total(attribution) == pytest.approx(attribution["instanceOutputValue"], abs=1e-5)
    assert attribution["featureAttributions"]["pixels"][3] == 0.0
    assert 0 <= attribution["approximationError"] < 0.3


def test_two_methods_agree_on_the_order_of_the_features(explain):
    """Both are Shapley values of one smooth function, of discrete and of continuous players."""
    found = [
        explain(method).execute()["explanations"][0]["attributions"][0]["featureAttributions"]
        for method in ("shapley", "gradients")
    ]
    assert found[0]["pixels"] == pytest.approx(found[1]["pixels"], abs=0.15)


def test_a_request_overrides_parameters_and_baselines(explain):
    override = {
        "parameters": {"topK": -1, "sampledShapleyAttribution": {"pathCount": 2}},
        "metadata": {"inputs": {"pixels": {"inputBaselines": [0, INSTANCE["x"]]}}},
    }
    answer = explain(explanationSpecOverride=override).execute()
    found = answer["explanations"][0]["attributions"]
    assert [each["outputIndex"] for each in found] == [[1], [0], [2]]
    values = [each["instanceOutputValue"] for each in found]
    assert values == sorted(values, reverse=True)
    for each, index in zip(found, (1, 0, 2), strict=True):
        # The mean of two baselines: of zeros, and of the instance's own pixels without the shift.
        away = scored(INSTANCE | {"bias": 0})[index]
        assert each["baselineOutputValue"] == pytest.approx(away / 2, abs=1e-6)
        assert total(each) == pytest.approx(values[0] - away / 2 if index == 1 else total(each))


def test_indices_are_explained_in_their_order(explain):
    override = {"parameters": {"outputIndices": [2, 0]}}
    found = explain(explanationSpecOverride=override).execute()["explanations"][0]["attributions"]
    assert [each["outputIndex"] for each in found] == [[2], [0]]
    assert [each["outputDisplayName"] for each in found] == ["c", "a"]


def test_a_request_without_a_model_needs_a_spec_of_every_deployed_model(
    vertex_service, explain, explained, refused
):
    """Any of them could be drawn by the traffic split, though one has all of it here."""
    status, code, message = refused(explain(deployedModelId=""))
    assert (status, code) == (400, "FAILED_PRECONDITION")
    assert message.endswith("does not support explanation.")
    endpoint, model = vertex_service.create_endpoint(), explained["model"]
    deployed = vertex_service.deploy(endpoint, model, {"0": 100})
    body = {"instances": [INSTANCE]}
    answer = vertex_service.endpoints.explain(endpoint=endpoint, body=body).execute()
    assert answer["deployedModelId"] == deployed


@pytest.mark.parametrize("deployed", ["plain", "disabled"])
def test_a_model_without_a_spec_is_refused_as_the_service_does(
    explain, explained, refused, deployed
):
    status, code, message = refused(explain(deployed))
    assert (status, code) == (400, "FAILED_PRECONDITION")
    assert message == f"Deployed model {explained[deployed]} does not support explanation."


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"instances": []}, "The field `instances` is required."),
        ({"instances": [{"x": [1, 2, 3, 4]}]}, "bias"),
        ({"instances": [{"x": [1e39, 0, 0, 0], "bias": 0}]}, "it holds NaN or Infinity"),
        ({"instances": [[1, 2, 3, 4]]}, "expecting list of objects as multiple input tensors"),
        (
            {"explanationSpecOverride": {"parameters": {"xraiAttribution": {"stepCount": 9}}}},
            "method of a deployed model cannot be overridden",
        ),
        (
            {"explanationSpecOverride": {"metadata": {"inputs": {"no": {}}}}},
            "There is no explained input `no` to override.",
        ),
        (
            {"explanationSpecOverride": {"parameters": {"outputIndices": [3]}}},
            "[3] of `output_indices` is not an index in it",
        ),
        (
            {
                "explanationSpecOverride": {
                    "parameters": {"sampledShapleyAttribution": {"pathCount": 51}}
                }
            },
            "path_count` is 51; it must be 1 to 50",
        ),
    ],
)
def test_a_request_that_cannot_be_explained(explain, refused, fields, text):
    status, _, message = refused(explain(**fields))
    assert (status, text in message) == (400, True), message


def test_whole_numbers_are_explained_by_shapley_and_have_no_gradients(explain, refused):
    fields = {
        "instances": [{"x": [1, 0, 2, 3], "bias": 0.5}],
        "parameters": {"signature_name": "whole"},
    }
    (attribution,) = explain(**fields).execute()["explanations"][0]["attributions"]
    assert total(attribution) == pytest.approx(attribution["instanceOutputValue"], abs=1e-5)
    _, code, message = refused(explain("gradients", **fields))
    assert code == "FAILED_PRECONDITION"
    assert message.startswith("The input `x` is of type int32, which is not differentiable")


def test_the_metadata_is_inferred_from_the_signature(vertex, scores):
    endpoint = vertex.create_endpoint()
    model = vertex.upload(scores, explanationSpec={"parameters": SHAPLEY})["name"]
    deployed = vertex.deploy(endpoint, model, {"0": 100})
    (shown,) = vertex.endpoints.get(name=endpoint).execute()["deployedModels"]
    assert (shown["id"], shown["explanationSpec"]) == (deployed, {"parameters": SHAPLEY})
    body = {"instances": [INSTANCE]}
    answer = vertex.endpoints.explain(endpoint=endpoint, body=body).execute()
    (attribution,) = answer["explanations"][0]["attributions"]
    assert attribution["featureAttributions"].keys() == {"x", "bias"}
    assert attribution["outputName"] == "scores"


@pytest.mark.parametrize("transport", [pytest.param("rest", marks=pytest.mark.slow), "grpc"])
def test_googles_sdk_configures_and_asks_for_explanations(
    aiplatform, clouds, fresh, scores, transport
):
    from google.auth.credentials import AnonymousCredentials

    host = clouds.url if transport == "rest" else clouds.url.removeprefix("http://")
    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=AnonymousCredentials(),
        api_endpoint=host,
        api_transport=transport,
    )
    model = aiplatform.Model.upload(
        display_name="scores",
        artifact_uri=scores,
        serving_container_image_uri="us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
        explanation_metadata=aiplatform.explain.ExplanationMetadata(
            inputs={
                key: {"input_tensor_name": value["inputTensorName"]}
                for key, value in METADATA["inputs"].items()
            },
            outputs={"likely": {"output_tensor_name": "scores"}},
        ),
        explanation_parameters=aiplatform.explain.ExplanationParameters(
            {"sampled_shapley_attribution": {"path_count": 4}}
        ),
    )
    endpoint = aiplatform.Endpoint.create(display_name="scores")
    endpoint.deploy(model, machine_type="n1-standard-2", traffic_percentage=100)
    answer = endpoint.explain(instances=[INSTANCE])
    (attribution,) = answer.explanations[0].attributions
    shares = attribution.feature_attributions
    assert sum(shares["pixels"]) + shares["shift"] == pytest.approx(
        attribution.instance_output_value - attribution.baseline_output_value, abs=1e-5
    )
    assert list(attribution.output_index) == [1]
    assert attribution.output_name == "likely"
    assert answer.deployed_model_id == endpoint.list_models()[0].id
    assert answer.predictions[0] == pytest.approx(scored(INSTANCE))
