"""`SignatureDef`s of test models: the product's loader provides those of the model's file."""

from cloudserve.local_server.messages import message_class

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name

SignatureDef = message_class("tensorflow.SignatureDef")

_NUMBERS = {dtype_name(number): number for number in PROTO_NAMES}


def definitions(signatures):
    """Return the SignatureDefs of Signatures by name."""
    return {name: _definition(signature) for name, signature in signatures.items()}


def _definition(signature):
    message = SignatureDef(method_name=signature.method_name)
    for spec in signature.inputs:
        _write(message.inputs[spec.alias], spec)
    for spec in signature.outputs:
        _write(message.outputs[spec.alias], spec)
    return message


def _write(info, spec):
    info.name, info.dtype = spec.tensor_name, _NUMBERS[spec.dtype]
    info.tensor_shape.unknown_rank = spec.shape is None
    for size in spec.shape or ():
        info.tensor_shape.dim.add(size=-1 if size is None else size)
