"""Requests made from signatures: the server's own decoder accepts them."""

import json

import ml_dtypes
import numpy as np
import pytest
from cloudserve.local_server.codecs.request import parse_request
from cloudserve.local_server.codecs.tensor_proto import from_tensor_proto
from cloudserve.local_server.load.payloads import (
    decode_bodies,
    generate,
    grpc_body,
    read_bodies,
    rest_body,
)
from cloudserve.local_server.messages import message_class

from cloudserve.bench.settings import Request
from cloudserve.bench.target import parse_target
from cloudserve.errors import UserError
from cloudserve.savedmodel.signature import Signature, TensorSpec

TYPES = ["float32", "float64", "float16", "bfloat16", "int8", "uint8", "int64", "bool", "string"]
TARGET = parse_target("grpc://h:1/m/7")


def signature(*specs, name="serving_default", method="tensorflow/serving/predict", defaults=()):
    inputs = tuple(TensorSpec(alias, f"{alias}:0", dtype, shape) for alias, dtype, shape in specs)
    return Signature(name, method, inputs, (), defaults)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(None, 2), (None,), (3, 2), (), None])
def test_a_generated_request_decodes_to_the_declared_type_and_shape(dtype, shape):
    declared = signature(("x", dtype, shape))
    (inputs,) = generate(declared, Request(rows=4), 1)
    decoded = parse_request(rest_body(declared, inputs)).decode(declared)["x"]
    expected = (4,) if shape is None else tuple(4 if size is None else size for size in shape)
    assert decoded.shape == expected
    wanted = object if dtype == "string" else getattr(ml_dtypes, dtype, dtype)
    assert decoded.dtype == np.dtype(wanted)


@pytest.mark.parametrize("dtype", TYPES)
def test_rest_and_grpc_send_the_same_values(dtype):
    declared = signature(("x", dtype, (None, 3)))
    (inputs,) = generate(declared, Request(), 1)
    over_rest = parse_request(rest_body(declared, inputs)).decode(declared)["x"]
    message = message_class("tensorflow.serving.PredictRequest").FromString(
        grpc_body(TARGET, "other", inputs)
    )
    assert (from_tensor_proto(message.inputs["x"]) == over_rest).all()
    spec = message.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 7, "other")


def test_several_inputs_are_sent_as_rows_of_objects():
    declared = signature(("a", "int32", (None,)), ("b", "float32", (None, 2)))
    (inputs,) = generate(declared, Request(rows=2), 1)
    rows = json.loads(rest_body(declared, inputs))["instances"]
    assert [sorted(row) for row in rows] == [["a", "b"], ["a", "b"]]


def test_inputs_without_a_common_open_dimension_are_sent_as_columns():
    declared = signature(("a", "int32", ()), ("b", "float32", (None, 2)))
    (inputs,) = generate(declared, Request(), 1)
    assert sorted(json.loads(rest_body(declared, inputs))["inputs"]) == ["a", "b"]


def test_another_signature_is_named_in_the_request():
    declared = signature(("x", "float32", (None,)), name="other")
    (inputs,) = generate(declared, Request(), 1)
    assert json.loads(rest_body(declared, inputs))["signature_name"] == "other"


def test_optional_inputs_are_omitted_and_requests_differ():
    declared = signature(("x", "float32", (None, 9)), ("y", "float32", ()), defaults=("y",))
    first, second = generate(declared, Request(), 2)
    assert list(first) == ["x"]
    assert (first["x"] != second["x"]).any()


def test_a_given_shape_replaces_the_declared_one():
    declared = signature(("x", "uint8", (None, None, None, 3)))
    (inputs,) = generate(declared, Request(shapes={"x": (2, 8, 8, 3)}), 1)
    assert inputs["x"].shape == (2, 8, 8, 3)
    with pytest.raises(UserError, match="has no input 'z'"):
        generate(declared, Request(shapes={"z": (1,)}), 1)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            signature(("x", "string", (None,)), method="tensorflow/serving/classify"),
            "signature 'serving_default' takes Examples, whose features it does not declare",
        ),
        (
            signature(("x", "complex64", (None,))),
            "input 'x' is complex64[?], for which no value can be made up",
        ),
        (
            signature(("x", "resource", ())),
            "input 'x' is resource[], for which no value can be made up",
        ),
    ],
)
def test_inputs_without_values_to_make_up_are_refused(declared, message):
    with pytest.raises(UserError) as refused:
        generate(declared, Request(), 1)
    assert refused.value.message == message


def test_a_file_has_one_request_or_one_per_line(tmp_path):
    one, many = tmp_path / "one.json", tmp_path / "many.jsonl"
    one.write_text('{"instances":\n [1.0]}')
    many.write_text('{"instances": [1.0]}\n\n{"instances": [2.0]}\n')
    assert len(read_bodies(one)) == 1
    declared = signature(("x", "float32", (None,)))
    decoded = decode_bodies(read_bodies(many), declared, "many")
    assert [inputs["x"].tolist() for inputs in decoded] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "", "the file has no request"),
        ("a.json", "{", "the payload is not JSON: Expecting property name"),
        ("a.jsonl", "{}\n{", "the payload is not JSON: Expecting property name"),
    ],
)
def test_a_file_without_json_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_bodies(tmp_path / name)


def test_a_payload_that_the_signature_refuses_is_named(tmp_path):
    declared = signature(("x", "float32", (None,)))
    with pytest.raises(UserError, match="the payload is invalid: Missing 'inputs'"):
        decode_bodies([b"{}"], declared, "file.json")
