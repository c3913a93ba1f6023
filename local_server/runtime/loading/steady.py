"""Signatures whose cost the sizes of their inputs bound, whatever the values are.

The event loop may answer those itself: that one request was quick tells of the next of its size. A
loop in the graph, or a shape made of a value, takes that promise away; so does an op not listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cloudserve.savedmodel.graph import node_name
from cloudserve.savedmodel.signature import Signature

_ELEMENTS = """
    Abs Add AddN AddV2 Cast Ceil ClipByValue Cos Div DivNoNan Elu Equal Erf Exp Expm1 Floor FloorDiv
    FloorMod Greater GreaterEqual Inv IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p
    LogSoftmax LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul Neg NotEqual OnesLike Pow
    RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Softmax
    Softplus Softsign Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv ZerosLike
"""
_LINEAR = """
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 Conv2D Conv3D
    DepthToSpace DepthwiseConv2dNative Einsum FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    L2Loss LRN MatMul MaxPool MaxPool3D SpaceToDepth
"""
_REDUCTIONS = "All Any ArgMax ArgMin Cumprod Cumsum Max Mean Min Prod Sum TopK TopKV2"
_SHAPES = """
    Concat ConcatV2 ExpandDims Gather GatherNd GatherV2 Identity IdentityN Pack Rank Reshape Shape
    ShapeN Size Slice Snapshot Split SplitV Squeeze StridedSlice Transpose Unpack
"""
_SOURCES = """
    Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp Const NoOp
    Placeholder PlaceholderWithDefault PreventGradient ReadVariableOp ResourceGather StopGradient
    VarHandleOp Variable VariableV2
"""
_CALLS = "PartitionedCall StatefulPartitionedCall"
STEADY_OPS = frozenset(f"{_ELEMENTS} {_LINEAR} {_REDUCTIONS} {_SHAPES} {_SOURCES} {_CALLS}".split())


SIZED_OPS = {
    **dict.fromkeys(("MirrorPad", "Pad", "PadV2", "Tile"), 1),
    **dict.fromkeys(("ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor"), 1),
}
"""Ops that one of their inputs gives a size, and its index: steady if it is a constant."""
_ASSIGNMENTS = frozenset(op for op in STEADY_OPS if op.startswith("Assign"))


def steady_signatures(
    graph_def: Any, signatures: Mapping[str, Signature]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the signatures that run steady ops alone.

    The second names are those that assign no variable: a repeated run has no effect.
    """
    nodes = {node.name: node for node in graph_def.node}
    functions = {f.signature.name: tuple(f.node_def) for f in graph_def.library.function}
    ops = {
        name: _ops(_ancestors(nodes, signature), nodes, functions)
        for name, signature in signatures.items()
    }
    steady = frozenset(name for name in ops if ops[name] <= STEADY_OPS)
    return steady, frozenset(name for name in steady if not ops[name] & _ASSIGNMENTS)


def _ancestors(nodes: Mapping[str, Any], signature: Signature) -> list[Any]:
    """Return the nodes that a signature's outputs are computed from, its inputs excepted."""
    fed = {node_name(spec.tensor_name) for spec in signature.inputs}
    pending = [node_name(spec.tensor_name) for spec in signature.outputs]
    reached: dict[str, Any] = {}
    while pending:
        name = pending.pop()
        if name in nodes and name not in reached and name not in fed:
            reached[name] = nodes[name]
            pending.extend(map(node_name, nodes[name].input))
    return list(reached.values())


def _ops(
    nodes: Iterable[Any], graph: Mapping[str, Any], functions: Mapping[str, Collection[Any]]
) -> set[str]:
    """Return the ops that nodes run, those of the functions they call among them.

    Those whose size is a constant are omitted.
    """
    ops: set[str] = set()
    called: set[str] = set()
    pending = [(node, graph) for node in nodes]
    while pending:
        node, scope = pending.pop()
        new = {name for name in (node.op, *_called(node)) if name in functions} - called
        called |= new
        for name in new:
            inner = {each.name: each for each in functions[name]}
            pending.extend((each, inner) for each in functions[name])
        if node.op not in functions and not _has_constant_size(node, scope):
            ops.add(node.op)
    return ops


def _has_constant_size(node: Any, scope: Mapping[str, Any]) -> bool:
    index = SIZED_OPS.get(node.op)
    if index is None or len(node.input) <= index:
        return False
    size = scope.get(node_name(node.input[index]))
    return size is not None and size.op == "Const"


def _called(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
