"""Faults of a model's signatures and tags: changes to its MetaGraph."""

from __future__ import annotations

import places
from cloudserve.local_server.messages import Message

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

_INT64 = 9
_DOUBLE = 2


def fetch_another_output(meta_graph: Message) -> None:
    """Let a signature fetch an output that its node does not have."""
    one = places.output(meta_graph)
    one.name = f"{one.name.partition(':')[0]}:9"


def feed_another_type(meta_graph: Message) -> None:
    """Let a signature declare another dtype for its input."""
    one = places.predicted(meta_graph)
    one.dtype = _INT64 if one.dtype != _INT64 else _DOUBLE


def answer_another_type(meta_graph: Message) -> None:
    """Let a signature declare another dtype for its output; answers have the real one."""
    places.output(meta_graph).dtype = _INT64


def feed_another_shape(meta_graph: Message) -> None:
    """Let a signature declare another shape for its input; whether it matters, the ops decide."""
    places.predicted(meta_graph).tensor_shape.dim.add(size=2)


def feed_twice(meta_graph: Message) -> None:
    """Let two inputs of a signature be one tensor."""
    inputs = places.signatures(meta_graph)[0].inputs
    one = inputs[min(inputs)]
    inputs["again"].CopyFrom(one)


def feed_nothing(meta_graph: Message) -> None:
    """Remove the inputs of a signature."""
    places.signatures(meta_graph)[0].inputs.clear()


def fetch_nothing(meta_graph: Message) -> None:
    """Remove the outputs of a signature."""
    places.signatures(meta_graph)[0].outputs.clear()


def have_no_signature(meta_graph: Message) -> None:
    """Remove all signatures."""
    for name in set(meta_graph.signature_def) - HIDDEN_SIGNATURES:
        del meta_graph.signature_def[name]


def name_another_method(meta_graph: Message) -> None:
    """Give a signature a method that no API has; servers do not look at it: not a fault."""
    places.signatures(meta_graph)[0].method_name = "absent"


def tag_otherwise(meta_graph: Message) -> None:
    """Tag the MetaGraph for training."""
    meta_graph.meta_info_def.tags[:] = ["train"]


def answer_a_scalar(meta_graph: Message) -> None:
    """Add an output without a batch dimension, which the row form of JSON cannot hold."""
    node = meta_graph.graph_def.node.add(name="added", op="Const")
    node.attr["dtype"].type = _DOUBLE
    node.attr["value"].tensor.dtype = _DOUBLE
    node.attr["value"].tensor.tensor_shape.SetInParent()
    node.attr["value"].tensor.double_val.append(1.0)
    places.signatures(meta_graph)[0].outputs["added"].name = "added:0"
    places.signatures(meta_graph)[0].outputs["added"].dtype = _DOUBLE
    places.signatures(meta_graph)[0].outputs["added"].tensor_shape.SetInParent()
