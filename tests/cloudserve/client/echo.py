"""A SavedModel whose signatures return their inputs, written without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cloudserve.local_server.messages import message_class

Tensor = tuple[int, Sequence[int]]
"""A DataType number (types.proto) and a shape, -1 for an open dimension."""

NUMBERS = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "string": 7,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "bfloat16": 14,
    "uint16": 17,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
}
SIGNATURES: Mapping[str, Mapping[str, Tensor]] = {
    "serving_default": {"image": (1, (-1, 2, 2, 1))},
    "pair": {"number": (1, (-1,)), "text": (7, (-1,))},
    "fixed": {"x": (1, (2,))},
    **{name: {"x": (number, (-1,))} for name, number in NUMBERS.items()},
}


def write_echo(
    base: Path, *versions: int, signatures: Mapping[str, Mapping[str, Tensor]] = SIGNATURES
) -> Path:
    """Write versions of the model below a base path, and return it."""
    for version in versions:
        folder = base / str(version)
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(_model(signatures).SerializeToString())
    return base


def _model(signatures):
    model = message_class("tensorflow.SavedModel")(saved_model_schema_version=1)
    graph = model.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.meta_info_def.tensorflow_version = "2.11.0"
    graph.graph_def.versions.producer = 1395
    for signature, tensors in signatures.items():
        definition = graph.signature_def[signature]
        definition.method_name = "tensorflow/serving/predict"
        for alias, tensor in tensors.items():
            name = f"{signature}_{alias}"
            _node(graph.graph_def, name, "Placeholder", tensor, "dtype")
            _node(graph.graph_def, f"{name}_out", "Identity", tensor, "T", name)
            _info(definition.inputs[alias], name, tensor)
            _info(definition.outputs[f"{alias}_out"], f"{name}_out", tensor)
    return model


def _node(graph, name, op, tensor, attribute, *inputs):
    node = graph.node.add(name=name, op=op, input=inputs)
    node.attr[attribute].type = tensor[0]
    if op == "Placeholder":
        _shape(node.attr["shape"].shape, tensor[1])


def _info(info, name, tensor):
    info.name, info.dtype = f"{name}:0", tensor[0]
    _shape(info.tensor_shape, tensor[1])


def _shape(message, sizes):
    message.SetInParent()
    for size in sizes:
        message.dim.add(size=size)
