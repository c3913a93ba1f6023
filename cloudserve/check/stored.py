"""Rules on stored values: those that the restore op reads must exist, and be as the graph says.

Sources: `RestoreTensorsV2` in tensorflow/core/kernels/save_restore_tensor.cc;
`BundleReader::Lookup` in tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.scopes import Scope, scope_of
from cloudserve.check.subject import Rule, Subject
from cloudserve.hints import printable
from cloudserve.savedmodel.checkpoint.variables import StoredTensor, stored_tensors
from cloudserve.savedmodel.checks.kernel_ops import needed_nodes
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.graph import source
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.signature import Shape, read_shape

_AGAIN = "copy or export the model again: its graph and its variables are from different exports"
_RESTORES = frozenset({"RestoreV2"})
_KEYS, _SLICES = 1, 2
"""The inputs of such an op that have the keys and the slices; a damaged graph may lack them."""
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_VARIABLES = frozenset({"VarHandleOp", "Variable", "VariableV2"})


@dataclass(frozen=True, slots=True)
class Read:
    """A value that a restore op reads."""

    op: str
    """The op's node."""
    position: int
    key: str
    dtype: int
    """0 if the op does not state it."""
    is_slice: bool


def missing_value(subject: Subject) -> Iterator[Finding]:
    """Find values that the restore op reads and the variables' files do not have."""
    for read, stored in _restored(subject):
        if stored is None:
            yield Finding(
                "missing-value",
                Severity.ERROR,
                f"the restore op reads {printable(read.key)}, which variables/ does not have",
                "the load fails with `Key … not found in checkpoint`",
                _AGAIN,
            )


def mismatched_value(subject: Subject) -> Iterator[Finding]:
    """Find stored values of another dtype or shape than the graph's variables have."""
    for read, stored in _restored(subject):
        if stored and read.dtype and stored.dtype != read.dtype:
            yield _mismatch(
                read.key,
                dtype_name(stored.dtype),
                dtype_name(read.dtype),
                "the load fails with `expected dtype … does not equal original dtype`",
            )
    stored_shapes = {read.key: one.shape for read, one in _restored(subject) if one}
    for key, shape in _assigned(subject):
        stored_shape = stored_shapes.get(key)
        if stored_shape is not None and shape is not None and not _fits(stored_shape, shape):
            yield _mismatch(
                key,
                _text(stored_shape),
                _text(shape),
                "the load fails, or the requests that read the variable do",
            )


def restored_keys(subject: Subject) -> frozenset[str]:
    """Return the keys of the values that a load reads."""
    return frozenset(read.key for read, _ in _restored(subject))


def _mismatch(key: str, stored: str, graph: str, why: str) -> Finding:
    text = f"{printable(key)} is {stored} in variables/ and {graph} in the graph"
    return Finding("mismatched-value", Severity.ERROR, text, why, _AGAIN)


def _fits(stored: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(stored) == len(shape) and all(
        wanted is None or wanted == size for size, wanted in zip(stored, shape, strict=True)
    )


def _text(shape: tuple[int | None, ...]) -> str:
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"


def _restored(subject: Subject) -> Iterator[tuple[Read, StoredTensor | None]]:
    """Yield the values that the restore op reads, with what is stored of them, once each."""
    if not subject.model.has_variables:
        return
    stored = stored_tensors(subject.model.path)
    reads = (read for scope, nodes in _restoring(subject) for read in _reads(nodes, scope))
    for read in {read.key: read for read in reads}.values():
        yield read, stored.get(read.key)


def _restoring(subject: Subject) -> Iterator[tuple[Scope, tuple[Message, ...]]]:
    """Yield the nodes that restore: those of the graph, and of the functions that they call."""
    graph = subject.graph
    nodes = tuple(graph.ancestors([subject.meta_graph.saver_def.restore_op_name]))
    yield subject.scopes[0], nodes
    for name in dict.fromkeys(chain.from_iterable(map(graph.called, nodes))):
        function = graph.functions[name]
        yield scope_of(function, subject.scopes[0].definitions), tuple(needed_nodes(function))


def _reads(nodes: tuple[Message, ...], scope: Scope) -> Iterator[Read]:
    for node in nodes:
        if node.op in _RESTORES and len(node.input) > _SLICES:
            slices = _texts(scope.nodes, node.input[_SLICES])
            dtypes = node.attr["dtypes"].list.type if "dtypes" in node.attr else ()
            for position, key in enumerate(_texts(scope.nodes, node.input[_KEYS])):
                dtype = dtypes[position] if position < len(dtypes) else 0
                is_slice = bool(slices[position : position + 1] != [""])
                yield Read(node.name, position, key, dtype, is_slice)


def _texts(nodes: Mapping[str, Message], tensor: str) -> list[str]:
    constant = nodes.get(source(nodes, tensor))
    if constant is None or constant.op != "Const":
        return []
    values = constant.attr["value"].tensor.string_val
    return [value.decode("utf-8", "replace") for value in values]


def _assigned(subject: Subject) -> Iterator[tuple[str, Shape]]:
    """Yield the keys of whole values with the shapes of the variables that they are assigned to."""
    if not subject.model.has_variables:
        return
    for scope, nodes in _restoring(subject):
        whole = {
            (read.op, read.position): read.key for read in _reads(nodes, scope) if not read.is_slice
        }
        for node in nodes:
            if node.op in _ASSIGNS and len(node.input) > 1:
                key = whole.get(_result(scope, node.input[1]))
                variable = _variable(subject, scope, node.input[0])
                if key and variable is not None and "shape" in variable.attr:
                    yield key, read_shape(variable.attr["shape"].shape)


def _result(scope: Scope, tensor: str) -> tuple[str, int]:
    """Return the node and the number of the result that a tensor passes on."""
    while (node := scope.nodes.get(tensor.partition(":")[0])) and node.op == "Identity":
        if not node.input or node.input[0] == tensor:
            break
        tensor = node.input[0]
    name, _, rest = tensor.partition(":")
    number = rest.rpartition(":")[2]
    return name, int(number) if number.isdecimal() else 0


def _variable(subject: Subject, scope: Scope, tensor: str) -> Message | None:
    """Return the variable whose handle is a tensor: of this scope, or of the restore op's call."""
    name = source(scope.nodes, tensor)
    if scope.function is not None and name in scope.arguments:
        position = list(scope.arguments).index(name)
        restore = subject.graph.nodes.get(subject.meta_graph.saver_def.restore_op_name)
        called = subject.graph.called(restore) if restore is not None else ()
        if restore is None or scope.function.signature.name not in called:
            return None
        if position >= len(restore.input):
            return None
        scope, name = subject.scopes[0], source(subject.graph.nodes, restore.input[position])
    node = scope.nodes.get(name)
    return node if node is not None and node.op in _VARIABLES else None


RULES: tuple[Rule, ...] = (missing_value, mismatched_value)
