"""The definitions of a graph's ops, and the tensors that a node takes and gives by them.

A MetaGraph lists the definitions of its ops as they were when it was written (`stripped_op_list`).
A later TensorFlow may only add to a definition what has a default
(tensorflow/core/framework/op_compatibility_test.cc), so a node that its own list refuses is refused
by every TensorFlow that has the op.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloudserve.savedmodel.proto import Message

REF_OFFSET = 100
"""The distance of a reference type's number from its value type's (types.proto)."""


@dataclass(frozen=True, slots=True)
class Port:
    """One argument of a definition, for a node: the dtypes of its tensors."""

    name: str
    dtypes: tuple[int, ...]


def read_definitions(meta_graph: Message) -> Mapping[str, Message]:
    """Return the `OpDef`s of a MetaGraph by name; those of its functions are among them."""
    listed = {one.name: one for one in meta_graph.meta_info_def.stripped_op_list.op}
    functions = meta_graph.graph_def.library.function
    return listed | {one.signature.name: one.signature for one in functions}


def ports(arguments: Iterable[Message], node: Message, definition: Message) -> tuple[Port, ...]:
    """Return a node's inputs or outputs by its definition.

    Raises LookupError if the node lacks an attribute that they depend on.
    """
    return tuple(Port(one.name, tuple(_dtypes(one, node, definition))) for one in arguments)


def flat(named: Iterable[Port]) -> tuple[int, ...]:
    """Return the dtypes of all tensors of some arguments, in order."""
    return tuple(dtype for port in named for dtype in port.dtypes)


def attribute(node: Message, definition: Message, name: str) -> Message:
    """Return an attribute of a node, or its default; raises LookupError if there is neither."""
    if name in node.attr:
        return node.attr[name]
    for one in definition.attr:
        if one.name == name and one.HasField("default_value"):
            return one.default_value
    raise LookupError(name)


def _dtypes(argument: Message, node: Message, definition: Message) -> Iterator[int]:
    if argument.type_list_attr:
        yield from attribute(node, definition, argument.type_list_attr).list.type
        return
    dtype = argument.type
    if argument.type_attr:
        dtype = attribute(node, definition, argument.type_attr).type
    count = attribute(node, definition, argument.number_attr).i if argument.number_attr else 1
    yield from [dtype + REF_OFFSET * argument.is_ref] * min(count, _MOST)


_MOST = 1 << 16
"""A damaged count must not take all memory."""
