"""`SignatureDef` messages of metadata responses."""

from __future__ import annotations

from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import Signature, TensorSpec

from ....inference.types import Metadata
from ....transport.grpc_types import Message

_NUMBERS = {dtype_name(number): number for number in PROTO_NAMES}
_ANY_SIZE = -1


def signature_map(metadata: Metadata) -> Message:
    """Return the signatures of a version as a `SignatureDefMap`.

    Of a model without definitions they have what a Signature keeps: no default values, no names of
    dimensions, no parts of sparse and composite tensors.
    """
    signatures = SignatureDefMap()
    for name, signature in metadata.signatures.items():
        if name in metadata.definitions:
            signatures.signature_def[name].CopyFrom(metadata.definitions[name])
        else:
            _write_signature(signatures.signature_def[name], signature)
    return signatures


def _write_signature(message: Message, signature: Signature) -> None:
    message.method_name = signature.method_name
    for spec in signature.inputs:
        _write_info(message.inputs[spec.alias], spec)
    for spec in signature.outputs:
        _write_info(message.outputs[spec.alias], spec)


def _write_info(message: Message, spec: TensorSpec) -> None:
    message.name = spec.tensor_name
    message.dtype = _NUMBERS.get(spec.dtype, 0)
    message.tensor_shape.unknown_rank = spec.shape is None
    for size in spec.shape or ():
        message.tensor_shape.dim.add(size=_ANY_SIZE if size is None else size)
