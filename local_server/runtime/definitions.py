"""`SignatureDef` messages of models that have none in their files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import Signature, TensorSpec

from ..messages import Message, message_class

_NUMBERS = {dtype_name(number): number for number in PROTO_NAMES}


def definitions(signatures: Iterable[Signature]) -> Mapping[str, Message]:
    """Return the messages of signatures by name."""
    return {signature.name: _definition(signature) for signature in signatures}


def _definition(signature: Signature) -> Message:
    message = message_class("tensorflow.SignatureDef")(method_name=signature.method_name)
    for specs, infos in ((signature.inputs, message.inputs), (signature.outputs, message.outputs)):
        for spec in specs:
            _describe(spec, infos[spec.alias])
    return message


def _describe(spec: TensorSpec, info: Message) -> None:
    info.name = spec.tensor_name
    info.dtype = _NUMBERS[spec.dtype]
    if spec.shape is None:
        info.tensor_shape.unknown_rank = True
        return
    info.tensor_shape.SetInParent()
    for size in spec.shape:
        info.tensor_shape.dim.add(size=-1 if size is None else size)
