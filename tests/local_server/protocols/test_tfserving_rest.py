"""TensorFlow Serving's REST API through real HTTP on real models (tfserving.md 2)."""

import base64
import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HALF = "/v1/models/tfs_half_plus_two_cpu"
TWO_VERSIONS = "/v1/models/tfs_half_plus_two_2v"

PLUS = {
    "tfs_half_plus_two_cpu": 2,
    "tfs_half_plus_two_2v": 2,
    "tfs_half_plus_two_tf2": 2,
    "tfs_half_plus_two_with_config": 2,
    "tfs_half_plus_three": 3,
    "sm_half_plus_three": 3,
}
MISSING = "variables/variables.data-00000-of-00001; No such file or directory"
GONE = "No OpKernel was registered to support Op 'BoostedTreesBucketize'"


# Predict.


@pytest.mark.parametrize("model", PLUS)
def test_every_half_plus_model_answers_exactly(client, model):
    answer = client.post(f"/v1/models/{model}:predict", {"instances": [1.0, -3, 1e6]})
    assert answer == (200, {"predictions": [x / 2 + PLUS[model] for x in (1, -3, 1e6)]})


def test_rows_are_answered_by_predictions_and_columns_by_outputs(client):
    assert client.ask("POST", f"{HALF}:predict", b'{"instances": [[1], [2]]}')[2] == (
        b'{\n    "predictions": [[2.5],[3.0]]\n}'
    )
    assert client.ask("POST", f"{HALF}:predict", b'{"inputs": 5}')[2] == (
        b'{\n    "outputs": 4.5\n}'
    )


def test_answers_are_json_whatever_the_request_says_it_is(client):
    status, headers, _ = client.ask(
        "POST", f"{HALF}:predict", b'{"inputs": 5}', {"Content-Type": "text/plain"}
    )
    assert (status, headers["Content-Type"]) == (200, "application/json")


def test_a_signature_can_be_named(client):
    document = {"signature_name": "regress_x2_to_y3", "inputs": {"inputs": [[1]]}}
    assert client.post(f"{HALF}:predict", document) == (200, {"outputs": [[3.5]]})


def test_not_a_number_goes_in_and_out(client):
    _, _, body = client.ask("POST", f"{HALF}:predict", b'{"instances": [NaN, -Infinity]}')
    assert body == b'{\n    "predictions": [NaN,-Infinity]\n}'


def test_a_model_with_many_inputs_takes_both_forms(client):
    row = {"keys": [7], "features": [1] * 9}
    status, by_row = client.post("/v1/models/sts_template_app:predict", {"instances": [row, row]})
    assert status == 200
    assert [set(p) for p in by_row["predictions"]] == [{"keys", "prediction", "softmax"}] * 2
    columns = {"keys": [[7], [7]], "features": [[1] * 9] * 2}
    _, by_column = client.post("/v1/models/sts_template_app:predict", {"inputs": columns})
    assert by_column["outputs"] == {
        name: [p[name] for p in by_row["predictions"]] for name in by_column["outputs"]
    }


def test_an_estimator_takes_examples_as_base64(client, shared_models):
    data = gzip.decompress((shared_models / "data/taxi_eval.tfrecord.gz").read_bytes())
    examples, at = [], 0
    while len(examples) < 3:
        size = int.from_bytes(data[at : at + 8], "little")
        examples.append({"b64": base64.b64encode(data[at + 12 : at + 12 + size]).decode()})
        at += 16 + size
    status, answer = client.post(
        "/v1/models/tfx_taxi_estimator:predict",
        {"signature_name": "predict", "instances": [{"examples": e} for e in examples]},
    )
    assert status == 200
    tips = [round(p["probabilities"][1], 3) for p in answer["predictions"]]
    assert tips == [0.301, 0.201, 0.294]
    assert answer["predictions"][0]["all_classes"] == ["0", "1"]


def test_a_counter_takes_steps_and_signatures_without_inputs_are_refused(client):
    counter = "/v1/models/tfs_counter:predict"
    _, first = client.post(counter, {"signature_name": "incr_counter_by", "inputs": 1})
    _, then = client.post(counter, {"signature_name": "incr_counter_by", "inputs": 2})
    assert then["outputs"] == first["outputs"] + 2
    assert client.post(counter, {"signature_name": "get_counter", "inputs": 1}) == (
        400,
        {"error": "Failed to get input map for signature: get_counter"},
    )


@pytest.mark.parametrize(
    ("target", "document", "status", "text"),
    [
        ("/v1/models/m:predict", {}, 404, "Servable not found for request: Latest(m)"),
        (
            f"{HALF}/versions/9:predict",
            {},
            404,
            "Servable not found for request: Specific(tfs_half_plus_two_cpu, 9)",
        ),
        (f"{HALF}/labels/l%2F1:predict", {}, 400, "Unrecognized servable version label: l/1"),
        (
            f"{HALF}:predict",
            {"signature_name": "s"},
            400,
            'Serving signature name: "s" not found in signature def',
        ),
        (f"{HALF}:predict", b"", 400, "JSON Parse error: The document is empty"),
        (f"{HALF}:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        (
            "/v1/models/tfx_pusher:predict",
            {},
            404,
            "Servable not found for request: Latest(tfx_pusher)",
        ),
    ],
)
def test_errors_have_tensorflow_servings_status_and_text(client, target, document, status, text):
    assert client.post(target, document) == (status, {"error": text})


def test_an_error_is_laid_out_as_there(client):
    assert client.ask("POST", f"{HALF}:predict", b"{}")[2] == (
        b"{\n    \"error\": \"Missing 'inputs' or 'instances' key\"\n}"
    )


def test_an_ops_error_is_a_clients_error_with_tensorflows_text(client):
    status, answer = client.post(
        f"{HALF}:predict", {"signature_name": "regress_x_to_y", "instances": ["no example"]}
    )
    assert status == 400
    assert answer["error"].startswith("Could not parse example input, value: 'no example'\n\t [[")


def test_a_bad_request_leaves_the_connection_good(client):
    assert client.post(f"{HALF}:predict", b"[" * 100_000)[0] == 400
    assert client.post(f"{HALF}:predict", {"instances": [1]})[0] == 200


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | json_like | st.fixed_dictionaries({"instances": json_like}))
def test_any_body_is_answered_or_refused_as_the_clients_error(client, document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    status, _, answer = client.ask("POST", f"{HALF}:predict", body)
    assert status in {200, 400}
    assert answer.startswith(b'{\n    "predictions"' if status == 200 else b'{\n    "error"')


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
def test_labels_that_stand_for_nothing_are_told(connect, label, status, text):
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
def test_what_is_not_under_v1_is_not_found_in_html(client, target):
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
def test_what_has_no_status_or_metadata_is_told(client, target, status, text):
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
        gzip.compress(bytes(101 << 20)),
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


# Time.


def test_a_request_ends_with_its_time_while_its_model_goes_on(connect, data_plane):
    client = connect(timeout_seconds=0.05)
    status, answer = client.post(
        "/v1/models/held:predict", {"signature_name": "float32", "inputs": 1}
    )
    assert (status, answer) == (504, {"error": "Timed out waiting for notification"})
    assert data_plane.held.entered.is_set()
    assert client.get("/v1/models/held")[0] == 200
    data_plane.held.go_on.set()
    assert connect().post(
        "/v1/models/held:predict", {"signature_name": "float32", "inputs": 1}
    ) == (200, {"outputs": 1.0})


# Batches.


@pytest.mark.parametrize("size", [1, 1000], ids=["small", "large"])
def test_a_model_that_batches_answers_as_any_other(connect, size):
    document = {"signature_name": "float32", "instances": [[0.123456789, -1.0]] * size}
    batched = connect().post("/v1/models/batched:predict", document)
    assert batched == connect().post("/v1/models/same:predict", document)
    assert batched[0] == 200


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b'{"instances": [NaN', "JSON Parse error: Missing a comma or ']' after an array element."),
        (b'{"signature_name": "none", "inputs": 1}', 'Serving signature name: "none" not found'),
        (b'{"signature_name": "float32", "inputs": 1}', "Batching Run() input tensors must have"),
        (b'{"signature_name": "int64", "instances": [1.5]}', "Failed to process element: 0 of"),
        (b'{"signature_name": "float32"}', "Missing 'inputs' or 'instances' key"),
    ],
)
def test_a_model_that_batches_refuses_in_the_same_words(connect, document, text):
    status, answer = connect().post("/v1/models/batched:predict", document)
    assert status == 400
    assert answer["error"].startswith(text)


# Layout and element types.


def test_answers_can_be_laid_out_as_there(connect, real_models):
    client = connect(pretty=True)
    assert client.ask("POST", f"{HALF}:predict", b'{"instances": [1, 2]}')[2] == (
        b'{\n    "predictions": [2.5, 3.0\n    ]\n}'
    )
    document = b'{"signature_name": "regress_x_to_y", "examples": [{"x": 1.0}, {"x": 2.0}]}'
    assert client.ask("POST", f"{HALF}:regress", document)[2] == b'{\n    "results": [2.5, 3.0]\n}'


@pytest.mark.parametrize(
    ("dtype", "values", "answered"),
    [
        ("float16", [0.125, 65504, 1e6], [0.125, 65504.0, float("inf")]),
        ("bfloat16", [0.5, 3.14], [0.5, 3.140625]),
        ("float64", [0.1, 1e300], [0.1, 1e300]),
        ("int64", [2**63 - 1], [2**63 - 1]),
        ("string", ["é", {"b64": "AA=="}], ["é", "\0"]),
    ],
)
@pytest.mark.parametrize("pretty", [False, True])
def test_values_of_every_kind_come_back(connect, dtype, values, answered, pretty):
    document = {"signature_name": dtype, "instances": values}
    status, answer = connect(pretty=pretty).post("/v1/models/same:predict", document)
    assert status == 200
    assert answer == {"predictions": answered}
