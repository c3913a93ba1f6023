"""Classify and regress over REST, on real models."""

import pytest

HALF = "/v1/models/tfs_half_plus_two_cpu"
TAXI = "/v1/models/tfx_taxi_estimator"
_TENSOR = """\
{word} {{
  key: "{alias}"
  value {{
    name: "{alias}:0"
    dtype: DT_FLOAT
    tensor_shape {{
      dim {{
        size: -1
      }}
      dim {{
        size: 1
      }}
    }}
  }}
}}
"""
IN_FILE = (
    _TENSOR.format(word="inputs", alias="x")
    + _TENSOR.format(word="outputs", alias="y")
    + 'method_name: "tensorflow/serving/predict"\n'
)


def regress(client, document, signature="regress_x_to_y"):
    return client.post(f"{HALF}:regress", {"signature_name": signature, **document})


def test_regress_gives_a_value_for_each_example(client):
    document = b'{"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": [-3.0]}]}'
    assert client.ask("POST", f"{HALF}:regress", document)[2] == b'{\n    "results": [3.0,0.5]\n}'


def test_classify_gives_pairs_of_label_and_score_for_each_example(client):
    document = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}, {"x": -3.0}]}
    answer = client.post(f"{HALF}/versions/123:classify", document)
    assert answer == (200, {"results": [[["", 3.0]], [["", 0.5]]]})


def test_the_context_is_part_of_every_example(client):
    document = {"context": {"x": 5.0}, "examples": [{}, {"x": 1.0}]}
    assert regress(client, document) == (200, {"results": [4.5, 2.5]})


def test_non_finite_floats_are_read_and_written(client):
    body = b'{"signature_name": "regress_x_to_y", "examples": [{"x": NaN}, {"x": -Infinity}]}'
    assert client.ask("POST", f"{HALF}:regress", body)[2] == (
        b'{\n    "results": [NaN,-Infinity]\n}'
    )


def test_an_estimator_classifies_by_its_default_signature(client):
    features = {"trip_miles": 1.5, "fare": 20.0, "trip_start_hour": 3, "payment_type": "Cash"}
    status, answer = client.post(f"{TAXI}:classify", {"examples": [features]})
    assert status == 200
    ((zero, one),) = answer["results"]
    assert [zero[0], one[0]] == ["0", "1"]
    assert zero[1] + one[1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            {"examples": [{"x": 2}]},
            (
                "Name: <unknown>, Key: x, Index: 0.  Data types don't match. Data type: int64 "
                "but expected type: float\n\t [[{{node ParseExample/ParseExample}}]]"
            ),
        ),
        (
            {"examples": [{}]},
            (
                "Name: <unknown>, Feature: x (data type: float) is required but could not be found."
                "\n\t [[{{node ParseExample/ParseExample}}]]"
            ),
        ),
        ({"examples": [[1.0]]}, "Example must be JSON object but got JSON Array"),
        (
            {"examples": [{"x": 1.0}], "signature_name": "none"},
            "No signature was found with the name: none",
        ),
    ],
)
def test_invalid_examples_are_reported_with_tensorflows_text(client, document, text):
    assert regress(client, document) == (400, {"error": text})


@pytest.mark.parametrize(
    ("verb", "signature", "text"),
    [
        ("regress", "serving_default", f"No regression inputs found in SignatureDef: {IN_FILE}"),
        (
            "classify",
            "regress_x_to_y",
            "Expected classification signature outputs to contain at least one of",
        ),
    ],
)
def test_a_signature_made_for_something_else_is_refused(client, verb, signature, text):
    document = {"signature_name": signature, "examples": [{"x": 1.0}]}
    status, answer = client.post(f"{HALF}:{verb}", document)
    assert status == 400
    assert answer["error"].startswith(text)


def test_the_request_is_looked_at_before_the_model_is(client):
    unknown = "/v1/models/m:classify"
    assert client.post(unknown, b"[")[0] == 400
    assert client.post(unknown, {"examples": [{}]}) == (
        404,
        {"error": "Servable not found for request: Latest(m)"},
    )
