"""directRawPredict: TensorFlow Serving's gRPC messages, through Google's clients."""

from __future__ import annotations

import base64

import pytest
import requests

METHOD = "/tensorflow.serving.PredictionService/"


@pytest.fixture(scope="module")
def endpoint(vertex_service):
    """Give an endpoint that answers with y = 2x."""
    vertex_service.parent = "projects/direct/locations/us-central1"
    model = vertex_service.upload()["name"]
    endpoint = vertex_service.create_endpoint()
    vertex_service.deploy(endpoint, model, {"0": 100})
    return endpoint


@pytest.fixture(scope="module")
def messages():
    """Give TensorFlow Serving's message classes, by their names."""
    from tensorflow_serving.apis import get_model_metadata_pb2, inference_pb2, predict_pb2

    return {
        name: getattr(module, name)
        for module in (get_model_metadata_pb2, inference_pb2, predict_pb2)
        for name in module.DESCRIPTOR.message_types_by_name
    }


@pytest.fixture
def predict_request(messages):
    """Give a function that makes a request for y of these x."""

    def make(*values: float, signature: str = "", version: int = 0):
        request = messages["PredictRequest"]()
        request.model_spec.name = "mine"
        request.model_spec.signature_name = signature
        if version:
            request.model_spec.version.value = version
        tensor = request.inputs["x"]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=len(values))
        tensor.float_val.extend(values)
        return request

    return make


@pytest.fixture
def ask(vertex_service, endpoint):
    """Give a function that sends a message by googleapiclient and returns the answer's bytes."""

    def ask(method: str, message) -> bytes:
        data = base64.b64encode(message.SerializeToString()).decode()
        request = vertex_service.endpoints.directRawPredict(
            endpoint=endpoint, body={"methodName": method, "input": data}
        )
        return base64.b64decode(request.execute()["output"])

    return ask


@pytest.mark.parametrize("end", ["", "/"])
def test_a_predict_request_is_answered_by_the_deployed_model(ask, messages, predict_request, end):
    answer = ask(f"{METHOD}Predict{end}", predict_request(1.0, 2.5, version=77))
    response = messages["PredictResponse"].FromString(answer)
    assert list(response.outputs["y"].float_val) == [2.0, 5.0]
    assert response.model_spec.name == "mine"
    assert response.model_spec.signature_name == "serving_default"


def test_the_signature_is_the_requests(ask, messages, predict_request):
    answer = ask(f"{METHOD}Predict", predict_request(1.0, signature="negative"))
    assert messages["PredictResponse"].FromString(answer).outputs["y"].float_val == [-2.0]


def test_the_metadata_is_the_deployed_models(ask, messages):
    request = messages["GetModelMetadataRequest"](metadata_field=["signature_def"])
    request.model_spec.name = "mine"
    answer = ask(f"{METHOD}GetModelMetadata", request)
    response = messages["GetModelMetadataResponse"].FromString(answer)
    assert response.model_spec.name == "mine"
    assert b"negative" in response.metadata["signature_def"].value


def test_googles_own_client_sends_it(aiplatform, clouds, endpoint, messages, predict_request):
    from google.auth.credentials import AnonymousCredentials

    client = aiplatform.gapic.PredictionServiceClient(
        transport=aiplatform.gapic.PredictionServiceClient.get_transport_class("rest")(
            host=clouds.url.removeprefix("http://"),
            url_scheme="http",
            credentials=AnonymousCredentials(),
        ),
    )
    request = {
        "endpoint": endpoint,
        "method_name": f"{METHOD}Predict",
        "input": predict_request(3.0).SerializeToString(),
    }
    answer = client.direct_raw_predict(request=request)
    response = messages["PredictResponse"].FromString(answer.output)
    assert response.outputs["y"].float_val == [6.0]
    client.transport.close()


@pytest.mark.parametrize(
    ("method", "data", "status", "message"),
    [
        (f"{METHOD}Nope", b"", 501, f'The model server has no method "{METHOD}Nope".'),
        ("", b"", 501, 'The model server has no method "".'),
        (
            f"{METHOD}Predict",
            b"\xff",
            400,
            "The input is not a tensorflow.serving.PredictRequest.",
        ),
        (f"{METHOD}Predict", b"", 400, "Missing ModelSpec"),
        (f"{METHOD}MultiInference", b"", 400, "ModelSpec has no name specified."),
    ],
)
def test_an_invalid_request_message_is_refused(clouds, endpoint, method, data, status, message):
    url = f"{clouds.url}/v1/{endpoint}:directRawPredict"
    body = {"methodName": method, "input": base64.b64encode(data).decode()}
    answer = requests.post(url, json=body, timeout=60)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


# Read in the other alphabet the first is empty, and the last has a wrong length.
@pytest.mark.parametrize("data", ["-___", "_w==", "a-__"])
def test_bytes_in_the_alphabet_of_urls_are_read_in_it(clouds, endpoint, data):
    url = f"{clouds.url}/v1/{endpoint}:directRawPredict"
    body = {"methodName": f"{METHOD}Predict", "input": data}
    answer = requests.post(url, json=body, timeout=60)
    message = answer.json()["error"]["message"]
    assert (answer.status_code, message) == (
        400,
        "The input is not a tensorflow.serving.PredictRequest.",
    )


def test_the_models_refusal_has_the_name_that_the_request_gave(clouds, endpoint, predict_request):
    request = predict_request(1.0, signature="nope")
    data = base64.b64encode(request.SerializeToString()).decode()
    url = f"{clouds.url}/v1/{endpoint}:directRawPredict"
    body = {"methodName": f"{METHOD}Predict", "input": data}
    error = requests.post(url, json=body, timeout=60).json()["error"]
    assert endpoint not in error["message"]
    assert '"nope"' in error["message"]
