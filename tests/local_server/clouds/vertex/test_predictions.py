"""Online predictions: the envelope, raw bytes, the split, limits, failures."""

from __future__ import annotations

import base64
import json
from collections import Counter
from urllib.parse import quote

import pytest
import requests

from tests.local_server.clouds.console.test_clouds_console import shown


@pytest.fixture(scope="module")
def served(vertex_service):
    """Give an endpoint that answers with y = 2x, its model and its deployment."""
    vertex_service.parent = "projects/predictions/locations/us-central1"
    model = vertex_service.upload(displayName="double")["name"]
    endpoint = vertex_service.create_endpoint()
    deployed = vertex_service.deploy(endpoint, model, {"0": 100}, displayName="by another name")
    return endpoint, model, deployed


@pytest.fixture
def post(clouds):
    """Give a function that posts bytes to an endpoint's method."""

    def send(endpoint: str, method: str, body: bytes, host: str = "") -> requests.Response:
        headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
        url = f"{clouds.url}/v1/{endpoint}:{method}"
        return requests.post(url, data=body, headers=headers, timeout=60)

    return send


def test_the_consoles_form_is_made_of_the_signatures(served, clouds):
    path = f"/_cloudserve/console/api/endpoints/{quote(served[0], safe='')}"
    card = requests.get(f"{clouds.url}{path}", timeout=20).json()
    assert (card["model"], card["version"]) == ("by another name", "1")
    assert [each["name"] for each in card["signatures"]] == ["serving_default", "negative"]


class TestThePredictEnvelope:
    def test_a_response_names_the_deployed_model(self, served, post):
        endpoint, model, deployed = served
        answer = post(endpoint, "predict", b'{"instances": [1.0, 2.5]}')
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert answer.json() == {
            "predictions": [2.0, 5.0],
            "deployedModelId": deployed,
            "model": model,
            "modelDisplayName": "double",
            "modelVersionId": "1",
        }

    def test_numbers_go_through_doubles_as_a_protobuf_value_does(self, served, post):
        """gapic writes 1 as 1.0; a model of integers has to get a 1 all the same."""
        answer = post(served[0], "predict", b'{"instances": [1.0, 2e0, 3]}')
        assert answer.json()["predictions"] == [2.0, 4.0, 6.0]

    def test_parameters_name_the_signature(self, served, post):
        body = {"instances": [1.5], "parameters": {"signature_name": "negative"}}
        answer = post(served[0], "predict", json.dumps(body).encode())
        assert answer.json()["predictions"] == [-3.0]

    def test_a_response_that_is_not_json_is_refused(self, served, post):
        """TensorFlow Serving writes what is not finite as NaN and Infinity."""
        answer = post(served[0], "predict", b'{"instances": [3e38]}')
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            "The model's answer is not JSON: it holds NaN or Infinity, which JSON lacks."
        )
        assert b"Infinity" in post(served[0], "rawPredict", b'{"instances": [3e38]}').content

    @pytest.mark.parametrize("parameters", ["null", "7", '{"signature_name": 3}', "[]"])
    def test_other_parameters_change_nothing(self, served, post, parameters):
        body = f'{{"instances": [1.5], "parameters": {parameters}}}'
        assert post(served[0], "predict", body.encode()).json()["predictions"] == [3.0]

    def test_fields_of_tensorflow_serving_alone_are_unknown_here(self, served, post):
        answer = post(served[0], "predict", b'{"instances": [1], "signature_name": "negative"}')
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            'Invalid JSON payload received. Unknown name "signature_name": Cannot find field.'
        )

    def test_a_containers_refusal_is_the_message_of_the_error(self, served, post):
        answer = post(served[0], "predict", b'{"instances": ["text"]}')
        error = answer.json()["error"]
        assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
        assert json.loads(error["message"])["error"] == (
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT:"
            ' JSON Value: "text" Type: String is not of expected type: float'
        )

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"7", b'{"instances": }', b'{"instances": {}}', b'{"instances": []}'],
    )
    def test_an_invalid_request_body_is_refused(self, served, post, body):
        answer = post(served[0], "predict", body)
        assert answer.status_code == 400
        assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"

    def test_nesting_beyond_reason_is_refused(self, served, post):
        body = b'{"instances": [1.0,' + b"[" * 5000 + b"]" * 5000 + b"]}"
        assert post(served[0], "predict", body).status_code == 400


class TestRawPredict:
    def test_the_containers_bytes_are_unchanged_and_headers_name_the_model(self, served, post):
        endpoint, model, deployed = served
        body = b'{"instances": [1.0], "signature_name": "negative"}'
        answer = post(endpoint, "rawPredict", body)
        assert answer.json() == {"predictions": [-2.0]}
        assert answer.headers["X-Vertex-AI-Endpoint-Id"] == endpoint.rpartition("/")[2]
        assert answer.headers["X-Vertex-AI-Deployed-Model-Id"] == deployed
        assert answer.headers["X-Vertex-AI-Model"] == model
        assert answer.headers["X-Vertex-AI-Model-Version-Id"] == "1"

    def test_a_stream_needs_a_dedicated_endpoint(self, clouds, vertex, post):
        """Google's SDK says so of `Endpoint.stream_raw_predict`, for custom models."""
        body, model = b'{"instances": [1.0]}', vertex.upload()["name"]
        shared = vertex.create_endpoint()
        vertex.deploy(shared, model, {"0": 100})
        error = post(shared, "streamRawPredict", body).json()["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert error["message"].endswith("supported for dedicated endpoints only.")
        dedicated = vertex.create_endpoint(dedicatedEndpointEnabled=True)
        vertex.deploy(dedicated, model, {"0": 100})
        dns = vertex.endpoints.get(name=dedicated).execute()["dedicatedEndpointDns"]
        assert post(dedicated, "streamRawPredict", body, dns).json() == {"predictions": [2.0]}
        paths = {row["resource"]: row["path"] for row in shown(clouds, "resources")}
        assert (paths[shared], paths[dedicated]) == (f"/v1/{shared}:predict", "")

    def test_googleapiclient_sends_it_transcoded(self, vertex_service, served):
        data = base64.b64encode(b'{"instances": [4.0]}').decode()
        body = {"httpBody": {"contentType": "application/json", "data": data}}
        request = vertex_service.endpoints.rawPredict(endpoint=served[0], body=body)
        assert request.execute() == {"predictions": [8.0]}

    @pytest.mark.parametrize("data", ["%%%", "\u00e9"])
    def test_bytes_that_are_not_base64_are_refused(self, served, post, data):
        answer = post(served[0], "rawPredict", f'{{"httpBody": {{"data": "{data}"}}}}'.encode())
        assert answer.status_code == 400


def test_real_models_of_tensorflow_serving_answer(clouds, shared_models, vertex, post):
    clouds.upload("real-vertex", "half/", shared_models / "tfs_half_plus_two_2v")
    model = vertex.upload("gs://real-vertex/half/123")["name"]
    endpoint = vertex.create_endpoint()
    vertex.deploy(endpoint, model, {"0": 100})
    answer = post(endpoint, "predict", b'{"instances": [1.0, 2.0, 5.0]}')
    assert answer.json()["predictions"] == [2.5, 3.0, 4.5]


class TestTheSplit:
    def test_requests_are_shared_out_by_the_split(self, vertex, post):
        first, second = vertex.upload()["name"], vertex.upload("gs://models/triple/2")["name"]
        endpoint = vertex.create_endpoint()
        stable = vertex.deploy(endpoint, first, {"0": 100})
        canary = vertex.deploy(endpoint, second, {"0": 10, stable: 90})
        answers = [post(endpoint, "predict", b'{"instances": [1.0]}').json() for _ in range(300)]
        shares = Counter(answer["deployedModelId"] for answer in answers)
        assert sum(shares.values()) == 300
        # Drawn from a seeded generator; at 10 % of 300, 60 is six deviations away.
        assert 10 < shares[canary] < 60
        factor = {stable: [2.0], canary: [3.0]}
        assert all(a["predictions"] == factor[a["deployedModelId"]] for a in answers)


class TestLimits:
    def test_the_shared_domain_takes_a_megabyte_and_a_half(self, served, post):
        body = b'{"instances": [' + b"1.0," * 400_000 + b"1.0]}"
        error = post(served[0], "predict", body).json()["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert error["message"] == f"The request size ({len(body)} bytes) exceeds 1.500MB limit."

    def test_an_answer_past_the_limit_is_not_sent(self, served, post):
        body = b'{"instances": [' + b"1," * 700_000 + b"1]}"
        error = post(served[0], "predict", body).json()["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert error["message"].startswith(
            f"Failed to handle request. endpoint_id: {served[0].rpartition('/')[2]},"
            f" deployed_model_id: {served[2]} with error: Response size too large."
        )

    def test_a_dedicated_domain_takes_ten(self, vertex, post):
        model = vertex.upload()["name"]
        endpoint = vertex.create_endpoint(dedicatedEndpointEnabled=True)
        vertex.deploy(endpoint, model, {"0": 100})
        dns = vertex.endpoints.get(name=endpoint).execute()["dedicatedEndpointDns"]
        large = b'{"instances": [' + b"1.0," * 500_000 + b"1.0]}"
        assert len(post(endpoint, "predict", large, dns).json()["predictions"]) == 500_001
        too_large = b'{"instances": [' + b"1.25," * 2_200_000 + b"1.0]}"
        error = post(endpoint, "predict", too_large, dns).json()["error"]
        assert error["message"].endswith("exceeds 10.000MB limit.")

    def test_a_dedicated_endpoint_refuses_the_shared_domain(self, vertex, post):
        endpoint = vertex.create_endpoint(dedicatedEndpointEnabled=True)
        dns = vertex.endpoints.get(name=endpoint).execute()["dedicatedEndpointDns"]
        error = post(endpoint, "predict", b'{"instances": [1]}').json()["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert error["message"] == (
            "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain"
            " aiplatform.googleapis.com. Please access the endpoint using its dedicated domain"
            f" name '{dns}'"
        )

    def test_a_dedicated_domain_answers_for_its_own_endpoint_alone(self, served, post):
        host = "1.us-central1-2.prediction.vertexai.goog"
        answer = post(served[0], "predict", b'{"instances": [1]}', host)
        assert answer.status_code == 400


class TestExplanations:
    def test_a_model_without_an_explanation_spec_has_none(self, served, post):
        endpoint, _, deployed = served
        expected = f"Deployed model {deployed} does not support explanation."
        for body in (b'{"instances": [1.0]}', b'{"instances": [1.0], "deployedModelId": "%s"}'):
            answer = post(endpoint, "explain", body.replace(b"%s", deployed.encode()))
            error = answer.json()["error"]
            assert (error["status"], error["message"]) == ("FAILED_PRECONDITION", expected)

    def test_a_deployed_model_that_does_not_exist_is_not_found(self, served, post):
        answer = post(served[0], "explain", b'{"instances": [1.0], "deployedModelId": "7"}')
        assert answer.json()["error"]["status"] == "NOT_FOUND"
