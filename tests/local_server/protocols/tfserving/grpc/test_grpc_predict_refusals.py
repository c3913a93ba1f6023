"""Errors of Predict over gRPC, with their exact texts."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import X, refusal

METHOD = "/tensorflow.serving.PredictionService/Predict"


def with_spec(request, **fields):
    request.ClearField("model_spec")
    for name, value in fields.items():
        setattr(request.model_spec, name, value)
    return request


def test_a_request_without_a_model_spec_is_refused(predictions, ask):
    answer = refusal(predictions.Predict, with_spec(ask(x=X)))
    assert answer == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_a_model_spec_without_a_name_is_refused(predictions, ask):
    answer = refusal(predictions.Predict, with_spec(ask(x=X), signature_name="s"))
    assert answer == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


REFUSALS = [
    (
        {"name": "none", "x": X},
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        {"version": 9, "x": X},
        ("NOT_FOUND", "Servable not found for request: Specific(half, 9)"),
    ),
    (
        {"label": "beta", "x": X},
        ("INVALID_ARGUMENT", "Unrecognized servable version label: beta"),
    ),
    (
        {"signature": "s", "x": X},
        ("FAILED_PRECONDITION", 'Serving signature key "s" not found.'),
    ),
    (
        {"b": X, "a": X},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 2!=1 len({a,b}) != len({x}). "
                "Sent extra: {a,b}. Missing but required: {x}."
            ),
        ),
    ),
    (
        {},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 0!=1 len({}) != len({x}). "
                "Sent extra: {}. Missing but required: {x}."
            ),
        ),
    ),
    (
        {"signature": "two", "a": X},
        (
            "INVALID_ARGUMENT",
            (
                "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
                "Sent extra: {}. Missing but required: {b}."
            ),
        ),
    ),
    (
        {"k1": X},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {k1}, or default input "
                "alias set: "
            ),
        ),
    ),
    (
        {"x": X, "output_filter": ("z",)},
        (
            "INVALID_ARGUMENT",
            (
                "output tensor alias not found in signature: z "
                "Outputs expected to be in the set {version,y}."
            ),
        ),
    ),
    (
        {"x": X, "output_filter": ("y", "y")},
        ("INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    ),
    (
        {"k1": X, "output_filter": ("z",)},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {k1}, or default input "
                "alias set: "
            ),
        ),
    ),
    (
        {"signature": "defaulted", "z": X},
        (
            "INVALID_ARGUMENT",
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {z}, or default input "
                "alias set: z"
            ),
        ),
    ),
    (
        {"signature": "defaulted", "x": X, "q": X},
        (
            "INVALID_ARGUMENT",
            "Inputs contains invalid name. Used request inputs: x, request input: q,x",
        ),
    ),
    (
        {"signature": "broken", "x": X},
        ("RESOURCE_EXHAUSTED", "no room"),
    ),
]


@pytest.mark.parametrize(("fields", "answer"), REFUSALS)
def test_invalid_predict_requests_are_refused_with_tensorflow_servings_text(
    predictions, ask, fields, answer
):
    assert refusal(predictions.Predict, ask(**fields)) == answer


def float_proto(**fields):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    sizes = fields.pop("sizes", (2,))
    proto = TensorProto(**{"dtype": "DT_FLOAT", **fields})
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "DT_INVALID"},
        {"dtype": "DT_RESOURCE"},
        {"dtype": 999},
        {"tensor_content": b"1234567"},
        {"tensor_content": b"123456789"},
        {"sizes": (-1,), "float_val": [1]},
        {"sizes": (2**62, 4), "float_val": [1]},
        {"sizes": (2**63 - 1, 2**63 - 1, 2**63 - 1), "float_val": [1]},
        {"sizes": (2**40,), "float_val": [1]},
        {"dtype": "DT_STRING", "tensor_content": b"\5ab"},
        {"dtype": "DT_COMPLEX64", "scomplex_val": [1, 2, 3]},
    ],
)
def test_an_invalid_tensor_is_refused_by_its_name(predictions, ask, fields):
    request = ask("same")
    request.inputs["i"].CopyFrom(float_proto(**fields))
    answer = refusal(predictions.Predict, request)
    assert answer == ("INVALID_ARGUMENT", "tensor parsing error: i")


def test_bytes_that_are_no_request_are_refused_and_the_next_request_is_answered(
    channel, predictions, ask
):
    call = channel.unary_unary(METHOD)
    code, text = refusal(call, b"\n\xff\xff")
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("the request is not a tensorflow.serving.PredictRequest: ")
    cut = ask(x=X).SerializeToString()[:-5]
    assert refusal(call, cut)[0] == "INVALID_ARGUMENT"
    assert predictions.Predict(ask(x=X)).outputs


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_changed_in_a_request_is_answered_or_the_clients_fault(channel, ask, data):
    body = bytearray(ask(x=X, output_filter=("y",)).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    code = outcome(channel.unary_unary(METHOD), bytes(body))
    assert code in {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}


def outcome(call, body):
    try:
        return refusal(call, body)[0]
    except AssertionError:
        return "OK"
