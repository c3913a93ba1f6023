"""TensorFlow Serving's REST API around its calls: URLs, status, metadata, encodings and CORS."""

import gzip
import json

import pytest

from ..conftest import HALF

TWO_VERSIONS = "/v1/models/tfs_half_plus_two_2v"
MISSING = "variables/variables.data-00000-of-00001; No such file or directory"
GONE = "No OpKernel was registered to support Op 'BoostedTreesBucketize'"


# URLs.


def test_versions_are_named_in_the_url(client):
    assert client.post(f"{TWO_VERSIONS}/versions/124:predict", {"inputs": 1})[0] == 200
    assert client.post(f"{TWO_VERSIONS}/versions/123:predict", {"inputs": 1})[0] == 404


@pytest.mark.parametrize("label", ["stable", "a%2Fb", "%73table"])
def test_labels_are_named_in_the_url(connect, label):
    target, document = f"/v1/models/same/labels/{label}", {"signature_name": "float32", "inputs": 1}
    assert connect().post(f"{target}:predict", document) == (200, {"outputs": 1.0})
    assert connect().get(f"{target}/metadata")[1]["model_spec"]["version"] == "1"


@pytest.mark.parametrize(
    ("label", "status", "text"),
    [
        ("none", 400, "Unrecognized servable version label: none"),
        ("gone", 404, "Servable not found for request: Specific(same, 7)"),
    ],
)
def test_labels_that_stand_for_nothing_are_reported(connect, label, status, text):
    answer = connect().post(f"/v1/models/same/labels/{label}:predict", {"inputs": 1})
    assert answer == (status, {"error": text})


def test_names_are_percent_decoded_after_they_are_matched(client):
    assert client.post("/v1/models/tfs%5Fhalf_plus_two%5fcpu:predict", {"inputs": 1})[0] == 200
    assert client.post("/v1/models/a%2Fb%3Ac:predict", {}) == (
        404,
        {"error": "Servable not found for request: Latest(a/b:c)"},
    )


def test_the_fixed_parts_of_a_url_are_of_any_case(client):
    assert client.post("/V1/Models/tfs_half_plus_two_cpu:predict", {"inputs": 1})[0] == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", HALF),
        ("DELETE", f"{HALF}/versions/123"),
        ("PATCH", f"{HALF}:predict"),
        ("GET", f"{HALF}:predict"),
        ("POST", HALF),
        ("POST", f"{HALF}/metadata"),
        ("POST", f"{HALF}:PREDICT"),
        ("POST", f"{HALF}:predict?x=1"),
        ("POST", f"{HALF}/versions/1/labels/a:predict"),
        ("POST", f"{HALF}/versions/x:predict"),
        ("GET", f"{HALF}/nothing"),
        ("GET", "/v1/"),
    ],
)
def test_other_methods_and_urls_are_malformed(client, method, target):
    status, _, body = client.ask(method, target)
    assert status == 400
    assert json.loads(body) == {"error": f"Malformed request: {method} {target}"}


def test_a_head_request_is_malformed_and_has_no_body(client):
    assert client.ask("HEAD", HALF)[::2] == (400, b"")


@pytest.mark.parametrize("version", [2**63, "9" * 5000])
def test_a_version_beyond_int64_is_refused_with_an_empty_body(client, version):
    target = f"{HALF}/versions/{version}"
    assert client.ask("GET", target)[::2] == (400, b"")
    assert client.ask("POST", f"{target}:predict", b"{}")[::2] == (400, b"")


@pytest.mark.parametrize("target", ["/", "/v2/models/m", "/v1", "/healthy"])
def test_paths_outside_v1_are_not_found_in_html(client, target):
    status, headers, body = client.ask("GET", target)
    assert (status, headers["Content-Type"]) == (404, "text/html")
    assert b"<H1>Not Found</H1>" in body


# Status and metadata.


def status_of(version, state="AVAILABLE", code="OK", message=""):
    return {
        "version": version,
        "state": state,
        "status": {"error_code": code, "error_message": message},
    }


def test_status_is_printed_as_cpp_protobuf_prints_it(client):
    assert client.ask("GET", HALF)[2].decode() == (
        '{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )


@pytest.mark.parametrize("target", [f"{HALF}/versions/123", f"{HALF}/labels/any"])
def test_status_takes_a_version_and_passes_over_a_label(client, target):
    assert client.get(target) == (200, {"model_version_status": [status_of("123")]})


@pytest.mark.parametrize(
    ("model", "code", "text"),
    [("cassava_tfhub", "NOT_FOUND", MISSING), ("tfx_pusher", "INVALID_ARGUMENT", GONE)],
)
def test_a_model_that_did_not_load_ends_with_its_reason_in_one_line(client, model, code, text):
    status, answer = client.get(f"/v1/models/{model}")
    (version,) = answer["model_version_status"]
    assert (status, version["state"], version["status"]["error_code"]) == (200, "END", code)
    assert text in version["status"]["error_message"]
    assert "\n" not in version["status"]["error_message"]


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/v1/models/m", 404, "Could not find any versions of model m"),
        ("/v1/models/m?x=1", 404, "Could not find any versions of model m?x=1"),
        (f"{HALF}/versions/9", 404, "Could not find version 9 of model tfs_half_plus_two_cpu"),
        ("/v1/models/versions/1", 400, "Missing model name in request."),
        ("/v1/models/m/metadata", 404, "Servable not found for request: Latest(m)"),
    ],
)
def test_models_without_status_or_metadata_are_reported(client, target, status, text):
    assert client.get(target) == (status, {"error": text})


def test_metadata_has_every_signature_in_proto_field_names(client):
    status, answer = client.get(f"{HALF}/versions/123/metadata")
    assert status == 200
    assert answer["model_spec"] == {
        "name": "tfs_half_plus_two_cpu",
        "signature_name": "",
        "version": "123",
    }
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert len(signatures) == 5
    batch = {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False}
    assert signatures["serving_default"] == {
        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": batch, "name": "x:0"}},
        "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": batch, "name": "y:0"}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def test_metadata_has_the_loaders_signatures_too(client):
    _, answer = client.get("/v1/models/tfs_half_plus_two_tf2/metadata")
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    op = signatures["__saved_model_init_op"]["outputs"]["__saved_model_init_op"]
    assert (op["dtype"], op["name"]) == ("DT_INVALID", "NoOp")


# Compression and CORS.


def test_a_gzip_body_is_inflated(client):
    body = gzip.compress(b'{"instances": [1]}')
    headers = {"Content-Encoding": "gzip"}
    assert client.post(f"{HALF}:predict", body, headers) == (200, {"predictions": [2.5]})


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1]}',
        gzip.compress(b'{"instances": [1]}')[:-4],
        gzip.compress(bytes(101 << 20), 1),
    ],
    ids=["plain", "cut", "too large"],
)
def test_a_gzip_body_that_is_broken_or_too_large_counts_as_empty(client, body):
    assert client.post(f"{HALF}:predict", body, {"Content-Encoding": "gzip"}) == (
        400,
        {"error": "JSON Parse error: The document is empty"},
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://a.example"}, 200), ({"Origin": "null"}, 400), ({}, 400)],
)
def test_options_want_an_origin_and_answer_nothing(client, headers, status):
    assert client.ask("OPTIONS", f"{HALF}:predict", headers=headers)[::2] == (status, b"")


def cors(headers):
    return {name: value for name, value in headers.items() if name.startswith("Access-Control")}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/models/same:predict"),
        ("GET", "/v1/models/same"),
        ("GET", "/v1/models/nothing"),
        ("GET", f"/v1/models/same/versions/{2**63}"),
        ("OPTIONS", "/v1/models/same:predict"),
        ("PUT", "/v1/models/same"),
    ],
)
def test_cors_headers_are_on_every_answer_where_they_are_asked_for(connect, method, target):
    _, with_flag, _ = connect(cors=True).ask(method, target, b"{}")
    assert cors(with_flag) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "POST, GET",
        "Access-Control-Allow-Headers": "Content-Type",
    }
    _, without, _ = connect().ask(method, target, b"{}")
    assert cors(without) == {}
