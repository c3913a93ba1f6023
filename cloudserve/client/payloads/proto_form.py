"""Predictions as TensorFlow Serving's protobuf messages.

Names and numbers are those of tensorflow_serving/apis/{predict,model,get_model_metadata}.proto and
tensorflow/core/framework/{tensor,tensor_shape}.proto; a test compares them with the packages. An
enum is declared as the integer, a map of messages as one of bytes: they are encoded alike.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve import protos
from cloudserve.client.payloads.arrays import STRING, numpy_dtype
from cloudserve.client.payloads.payload import DEFAULT_SIGNATURE
from cloudserve.client.payloads.strings import as_bytes
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.errors import RemoteError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, read_signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ANSWER = "check that the server is TensorFlow Serving, or `cloudserve serve`"
_MESSAGES = {
    "Version": ("int64 value = 1",),
    "ModelSpec": (
        "string name = 1",
        "Version version = 2",
        "string signature_name = 3",
        "string version_label = 4",
    ),
    "Dim": ("int64 size = 1",),
    "Shape": ("repeated Dim dim = 2",),
    "Tensor": (
        "int32 dtype = 1",
        "Shape tensor_shape = 2",
        "bytes tensor_content = 4",
        "repeated float float_val = 5",
        "repeated double double_val = 6",
        "repeated int32 int_val = 7",
        "repeated bytes string_val = 8",
        "repeated float scomplex_val = 9",
        "repeated int64 int64_val = 10",
        "repeated bool bool_val = 11",
        "repeated double dcomplex_val = 12",
        "repeated int32 half_val = 13",
        "repeated uint32 uint32_val = 16",
        "repeated uint64 uint64_val = 17",
        "bytes float8_val = 18",
    ),
    "PredictRequest": ("ModelSpec model_spec = 1", "map Tensor inputs = 2"),
    "PredictResponse": ("map Tensor outputs = 1", "ModelSpec model_spec = 2"),
    "MetadataRequest": ("ModelSpec model_spec = 1", "repeated string metadata_field = 2"),
    "MetadataResponse": ("ModelSpec model_spec = 1", "map Any metadata = 2"),
    "Any": ("string type_url = 1", "bytes value = 2"),
    "Signatures": ("map bytes signature_def = 1",),
}
_NUMBERS = {dtype_name(number): number for number in PROTO_NAMES}
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "string": "string_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
}
"""The field of each dtype (tensor.proto); the others are in `int_val`."""


@cache
def _message(name: str) -> Any:
    return protos.message_class(_pool(), f"cloudserve.client.{name}")


@cache
def _pool() -> Any:
    pool = DescriptorPool()
    protos.declare(pool, "cloudserve.client", _MESSAGES)
    return pool


def encode_predict(model: str, call: Call) -> bytes:
    """Return a serialized `PredictRequest`."""
    request = _message("PredictRequest")()
    _fill(request.model_spec, model, call.version)
    request.model_spec.signature_name = call.signature or DEFAULT_SIGNATURE
    for name, array in call.inputs.items():
        dtype = (
            next((s.dtype for s in call.spec.inputs if s.alias == name), "") if call.spec else ""
        )
        _write(array, dtype, request.inputs[name])
    data: bytes = request.SerializeToString(deterministic=True)
    return data


def decode_predict(data: bytes, where: str) -> Reply:
    """Return the outputs and the version of a `PredictResponse`; raises RemoteError."""
    try:
        response = _message("PredictResponse").FromString(data)
        outputs = {name: _read(response.outputs[name]) for name in sorted(response.outputs)}
    except (proto.DecodeError, ValueError, TypeError) as error:
        raise RemoteError(
            f"the answer is not a PredictResponse: {error}", where=where, hint=_ANSWER
        ) from error
    return Reply(outputs, _version(response.model_spec))


def encode_metadata(model: str, version: str) -> bytes:
    """Return a serialized `GetModelMetadataRequest` for the signatures."""
    request = _message("MetadataRequest")(metadata_field=["signature_def"])
    _fill(request.model_spec, model, version)
    data: bytes = request.SerializeToString()
    return data


def decode_metadata(data: bytes, where: str) -> Contract:
    """Return the signatures of a `GetModelMetadataResponse`; raises RemoteError."""
    try:
        response = _message("MetadataResponse").FromString(data)
        packed = response.metadata["signature_def"].value
        definitions = _message("Signatures").FromString(packed).signature_def
        signatures = {
            name: read_signature(name, proto.SignatureDef.FromString(definition))
            for name, definition in definitions.items()
            if name not in HIDDEN_SIGNATURES
        }
    except (proto.DecodeError, ValueError) as error:
        raise RemoteError(
            f"the answer is not a GetModelMetadataResponse: {error}", where=where, hint=_ANSWER
        ) from error
    return Contract(signatures, _version(response.model_spec))


def _fill(spec: Any, model: str, version: str) -> None:
    spec.name = model
    if version.isdecimal():
        spec.version.value = int(version)
    elif version:
        spec.version_label = version


def _version(spec: Any) -> str:
    return str(spec.version.value) if spec.HasField("version") else ""


def _write(array: NDArray[Any], dtype: str, tensor: Any) -> None:
    import numpy as np

    tensor.dtype = _NUMBERS[dtype or (STRING if array.dtype == object else array.dtype.name)]
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        tensor.string_val.extend(map(as_bytes, array.reshape(-1)))
    else:
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()


def _read(tensor: Any) -> NDArray[Any]:
    import numpy as np

    name = dtype_name(tensor.dtype)
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    dtype = numpy_dtype(name)
    if dtype is None:
        raise ValueError(f"no numpy dtype for {name}")
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape).copy()
    values = _values(tensor, name, dtype)
    size = int(np.prod(shape))
    if 0 < len(values) < size:  # the last value stands for the rest (tensor.proto)
        values = np.concatenate([values, np.full(size - len(values), values[-1], values.dtype)])
    elif not len(values) and size:
        values = np.zeros(size, dtype) if name != STRING else np.full(size, b"", object)
    return values.reshape(shape)


def _values(tensor: Any, name: str, dtype: Any) -> NDArray[Any]:
    import numpy as np

    if name.startswith("float8"):
        return np.frombuffer(tensor.float8_val, dtype).copy()
    field = getattr(tensor, _FIELDS.get(name, "int_val"))
    match name:
        case "string":
            values: NDArray[Any] = np.empty(len(field), object)
            values[:] = [*field]
            return values
        case "float16" | "bfloat16":
            return np.array(field, np.uint16).view(dtype)
        case "complex64" | "complex128":
            # Pairs of a real and an imaginary part are what a complex number is in memory.
            return np.array(field, np.float32 if name == "complex64" else np.float64).view(dtype)
        case _:
            # Without a dtype, older versions of numpy take 1 and 2**64 - 1 for floats.
            return np.array(field, np.uint64 if name == "uint64" else None).astype(dtype)
