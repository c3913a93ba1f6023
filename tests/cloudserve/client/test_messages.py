"""The messages of gRPC predictions: declared as TensorFlow's, and every field of a tensor read."""

import numpy as np
import pytest
from cloudserve.local_server.messages import message_class

from cloudserve.client.payloads import proto_form
from cloudserve.client.payloads.proto_form import decode_predict, encode_predict
from cloudserve.client.transports.channel import Call
from cloudserve.errors import RemoteError
from cloudserve.savedmodel.signature import Signature, TensorSpec
from tests.cloudserve.messages import is_repeated

SOURCES = {
    "ModelSpec": "tensorflow.serving.ModelSpec",
    "Dim": "tensorflow.TensorShapeProto.Dim",
    "Shape": "tensorflow.TensorShapeProto",
    "Tensor": "tensorflow.TensorProto",
    "PredictRequest": "tensorflow.serving.PredictRequest",
    "PredictResponse": "tensorflow.serving.PredictResponse",
    "MetadataRequest": "tensorflow.serving.GetModelMetadataRequest",
    "MetadataResponse": "tensorflow.serving.GetModelMetadataResponse",
    "Signatures": "tensorflow.serving.SignatureDefMap",
}


@pytest.mark.parametrize("name", SOURCES)
def test_fields_have_tensorflows_names_and_numbers(name):
    source = message_class(SOURCES[name]).DESCRIPTOR.fields_by_name
    for field in proto_form._message(name).DESCRIPTOR.fields:
        assert source[field.name].number == field.number
        assert is_repeated(source[field.name]) == is_repeated(field)


@pytest.mark.parametrize(
    ("dtype", "number", "values"),
    [
        ("float32", 1, [1.5, -2.0]),
        ("float64", 2, [1.5, -2.0]),
        ("int32", 3, [1, -2]),
        ("uint8", 4, [1, 255]),
        ("string", 7, [b"a", b"\xff"]),
        ("complex64", 8, [1 + 2j, -1j]),
        ("int64", 9, [1, -(2**63)]),
        ("bool", 10, [True, False]),
        ("bfloat16", 14, [1.5, -2.0]),
        ("complex128", 18, [1 + 2j, -1j]),
        ("float16", 19, [1.5, -2.0]),
        ("uint32", 22, [1, 2**32 - 1]),
        ("uint64", 23, [1, 2**64 - 1]),
    ],
)
@pytest.mark.parametrize("repeats", [False, True])
def test_values_are_read_from_the_field_of_their_dtype(dtype, number, values, repeats):
    response = message_class("tensorflow.serving.PredictResponse")()
    response.model_spec.version.value = 7
    tensor = response.outputs["y"]
    tensor.dtype = number
    sent = values[:1] if repeats else values
    fields(tensor, dtype, sent)
    tensor.tensor_shape.dim.add(size=2)
    reply = decode_predict(response.SerializeToString(), "here")
    expected = values[:1] * 2 if repeats else values
    assert reply.outputs["y"].tolist() == expected
    assert reply.version == "7"


def fields(tensor, dtype, values):
    match dtype:
        case "float16":
            tensor.half_val.extend(np.array(values, np.float16).view(np.uint16).tolist())
        case "bfloat16":
            high = np.array(values, np.float32).view(np.uint32) >> 16
            tensor.half_val.extend(high.tolist())
        case "complex64" | "complex128":
            field = tensor.scomplex_val if dtype == "complex64" else tensor.dcomplex_val
            field.extend(part for v in values for part in (v.real, v.imag))
        case _:
            name = proto_form._FIELDS.get(dtype, "int_val")
            getattr(tensor, name).extend(values)


def test_a_request_is_tensorflows():
    spec = Signature("s", "", (TensorSpec("x", "x:0", "float32", (None,)),), ())
    call = Call("s", "canary", {"x": np.array([1.5], np.float32)}, spec)
    request = message_class("tensorflow.serving.PredictRequest").FromString(
        encode_predict("m", call)
    )
    assert (request.model_spec.name, request.model_spec.version_label) == ("m", "canary")
    assert request.model_spec.signature_name == "s"
    assert request.inputs["x"].tensor_content == np.float32(1.5).tobytes()


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05\x0a\x01y\x12\x00"])
def test_another_message_is_the_servers_failure(data):
    with pytest.raises(RemoteError, match="is not a PredictResponse"):
        decode_predict(data, "here")
