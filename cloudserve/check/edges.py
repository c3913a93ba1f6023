"""Rules on what nodes read of each other: outputs that exist, of the dtype that the reader takes.

Sources: `GraphConstructor::Convert` and `ValidateInputs` in
tensorflow/core/common_runtime/graph_constructor.cc, `Graph::AddEdge`; `FunctionInstantiationHelper`
in tensorflow/core/framework/function.cc, which names results of nodes as `NODE:OUTPUT:NUMBER`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.scopes import Scope, data_inputs, in_scopes
from cloudserve.check.subject import Rule, Subject
from cloudserve.hints import printable
from cloudserve.plural import counted
from cloudserve.savedmodel.definitions import REF_OFFSET, flat, ports
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.graph import source
from cloudserve.savedmodel.proto import Message

_AGAIN = "copy or export the model again"
_CALLS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "BatchFunction": (("in_tensors", "captured_tensors"), "Tout"),
    "Case": (("input",), "Tout"),
    "If": (("input",), "Tout"),
    "PartitionedCall": (("args",), "Tout"),
    "StatefulPartitionedCall": (("args",), "Tout"),
    "StatelessCase": (("input",), "Tout"),
    "StatelessIf": (("input",), "Tout"),
    "StatelessWhile": (("input",), "T"),
    "While": (("input",), "T"),
}
"""Ops that call functions: the inputs that they pass on, and the attribute of their results."""
_HANDLE = "VarHandleOp"
_ON_VARIABLES = frozenset({"AssignVariableOp", "ReadVariableOp"})
_CONDITION = "cond"
"""The attribute of a loop whose function returns whether it continues."""


def mismatched_input(subject: Subject) -> Iterator[Finding]:
    """Find nodes that read an output that does not exist, or one of another dtype."""
    for scope, node, definition in in_scopes(subject.scopes):
        if fault := next(_faults(scope, node, definition), None):
            text = f"the node {printable(node.name)}{scope.place} {fault}"
            yield Finding("mismatched-input", Severity.ERROR, text, scope.consequence, _AGAIN)
            return  # TensorFlow names the first one too


def _faults(scope: Scope, node: Message, definition: Message) -> Iterator[str]:
    try:
        expected = flat(ports(definition.input_arg, node, definition))
    except LookupError:
        expected = ()
    yield from _variable(scope, node)
    for position, tensor in enumerate(data_inputs(node)):
        try:
            given = scope.dtype(tensor)
        except IndexError:
            yield f"reads {printable(tensor)}, an output that the node does not have"
            continue
        wanted = expected[position] if position < len(expected) else None
        if given and wanted and not _fits(given, wanted):
            yield (
                f"reads {printable(tensor)}, which is {dtype_name(given)}, and takes "
                f"{dtype_name(wanted)}"
            )


def _variable(scope: Scope, node: Message) -> Iterator[str]:
    """Yield the fault of a node that takes a variable for one of another dtype."""
    name = source(scope.nodes, node.input[0]) if node.input else ""
    handle = scope.nodes.get(name)
    if node.op in _ON_VARIABLES and handle is not None and handle.op == _HANDLE:
        taken, declared = _type(node), _type(handle)
        if taken and declared and taken != declared:
            yield (
                f"takes the variable {printable(name)} for {dtype_name(taken)}, and it is "
                f"{dtype_name(declared)}"
            )


def _type(node: Message) -> int:
    """Return the attribute `dtype`, 0 if there is none."""
    number: int = node.attr["dtype"].type if "dtype" in node.attr else 0
    return number


def _fits(given: int, wanted: int) -> bool:
    """Return whether a tensor may be passed: a reference as a value, but no value as a reference.

    Source: `TypesCompatible` in tensorflow/core/framework/types.h.
    """
    return given == wanted or given - REF_OFFSET == wanted


def mismatched_call(subject: Subject) -> Iterator[Finding]:
    """Find calls of functions with other arguments or results than the functions have."""
    functions = subject.graph.functions
    for scope, node, definition in in_scopes(subject.scopes):
        if node.op not in _CALLS:
            continue
        for name, function in _called(node, functions):
            if fault := _call_fault(node, definition, name, function):
                yield Finding(
                    "mismatched-call",
                    Severity.ERROR,
                    f"the node {printable(node.name)}{scope.place} {fault}",
                    "every request that calls it fails",
                    _AGAIN,
                )
                return


def _called(node: Message, functions: Mapping[str, Message]) -> Iterator[tuple[str, Message]]:
    """Yield the attribute that names each function of a call, and the function."""
    for key in sorted(node.attr):
        value = node.attr[key]
        for one in (value.func, *value.list.func):
            if one.name in functions:
                yield key, functions[one.name]


def _call_fault(node: Message, definition: Message, key: str, function: Message) -> str | None:
    passed, results = _CALLS[node.op]
    arguments = [one for one in definition.input_arg if one.name in passed]
    signature = function.signature
    try:
        given = flat(ports(arguments, node, definition))
        taken = flat(ports(signature.input_arg, function, signature))
        returned = flat(ports(signature.output_arg, function, signature))
    except LookupError:
        return None  # a type that the call decides
    wanted = tuple(node.attr[results].list.type) if results in node.attr else returned
    if fault := _difference(given, taken, "argument"):
        return f"calls {printable(signature.name)} with {fault}"
    if key != _CONDITION and (fault := _difference(wanted, returned, "result")):
        return f"expects of {printable(signature.name)} {fault}"
    return None


def _difference(given: Sequence[int], taken: Sequence[int], noun: str) -> str:
    if len(given) != len(taken):
        return f"{counted(len(given), noun)}, and the function has {len(taken)}"
    for number, (one, other) in enumerate(zip(given, taken, strict=True)):
        if one and other and one % REF_OFFSET != other % REF_OFFSET:
            return f"{dtype_name(one)} as {noun} {number}, and the function has {dtype_name(other)}"
    return ""


RULES: tuple[Rule, ...] = (mismatched_input, mismatched_call)
