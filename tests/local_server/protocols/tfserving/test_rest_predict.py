"""Predict over TensorFlow Serving's REST API, through real HTTP on real models."""

import base64
import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import HALF

PLUS = {
    "tfs_half_plus_two_cpu": 2,
    "tfs_half_plus_two_2v": 2,
    "tfs_half_plus_two_tf2": 2,
    "tfs_half_plus_two_with_config": 2,
    "tfs_half_plus_three": 3,
    "sm_half_plus_three": 3,
}


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


# Time.


def test_a_request_ends_with_its_time_while_its_model_continues(connect, data_plane):
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
