"""Rules on single nodes: each must fit the definition of its op.

Sources: `ValidateNodeDef` in tensorflow/core/framework/node_def_util.cc, `ValidateOpDef` and
`AttrValueHasType` in attr_value_util.cc, `IsValidNodeName` and `GraphConstructor::Convert` in
tensorflow/core/common_runtime/graph_constructor.cc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.scopes import data_inputs, in_scopes
from cloudserve.check.subject import Rule, Subject
from cloudserve.hints import printable
from cloudserve.plural import counted
from cloudserve.savedmodel.definitions import flat, ports
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.proto import Message

_AGAIN = "copy or export the model again"
_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9_./\\-]*(>[A-Za-z0-9._][A-Za-z0-9_./\\-]*)*")
_FIELDS = {
    "bool": "b",
    "float": "f",
    "func": "func",
    "int": "i",
    "shape": "shape",
    "string": "s",
    "tensor": "tensor",
    "type": "type",
}
"""The field of an `AttrValue` that has a value of a kind; those of lists are in `list`."""


def malformed_node(subject: Subject) -> Iterator[Finding]:
    """Find nodes that lack an attribute or inputs of their ops, or have more than these."""
    names = (name for name in subject.graph.nodes if not _NAME.fullmatch(name))
    if (name := next(names, None)) is not None:
        text = f"a node has the name `{printable(name)}`, which is not a valid one"
        yield _finding(text, "TensorFlow does not load the graph")
    for scope, node, definition in in_scopes(subject.scopes):
        fault = next(_faults(node, definition), None)
        if fault:
            text = f"the node {printable(node.name)}{scope.place}, {_op(node)}, {fault}"
            yield _finding(text, scope.consequence)
            return  # a damaged graph has many, and TensorFlow names the first one too


def _op(node: Message) -> str:
    return f"{'an' if node.op[:1] in 'AEIOU' else 'a'} {printable(node.op)}"


def _finding(text: str, why: str) -> Finding:
    return Finding("malformed-node", Severity.ERROR, text, why, _AGAIN)


def _faults(node: Message, definition: Message) -> Iterator[str]:
    yield from _attributes(node, definition)
    try:
        expected = len(flat(ports(definition.input_arg, node, definition)))
    except LookupError:
        return  # a function's argument whose type the call decides
    given = data_inputs(node)
    if len(given) != expected:
        yield f"has {counted(len(given), 'input')}, and its op takes {expected}"
    if list(node.input[: len(given)]) != given:
        yield "has a control input before another input"


def _attributes(node: Message, definition: Message) -> Iterator[str]:
    for one in definition.attr:
        if one.name in node.attr:
            value = node.attr[one.name]
            if not _is_of(value, one.type):
                yield f"has a value for the attribute {one.name} that is not a {one.type}"
            elif unfit := sorted(_types(value) - _allowed(one, value)):
                yield f"does not take {dtype_name(unfit[0])} as its attribute {one.name}"
        elif not one.HasField("default_value"):
            yield f"lacks the attribute {one.name}"


def _is_of(value: Message, kind: str) -> bool:
    return value.WhichOneof("value") in {"placeholder", _FIELDS.get(kind, "list")}


def _types(value: Message) -> set[int]:
    return {value.type, *value.list.type} - {0}


def _allowed(attribute: Message, value: Message) -> set[int]:
    """Return the types that an attribute may have; all if its definition does not list them."""
    return set(attribute.allowed_values.list.type) or _types(value)


RULES: tuple[Rule, ...] = (malformed_node,)
