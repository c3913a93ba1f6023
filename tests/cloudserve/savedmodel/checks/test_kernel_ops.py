"""The ops of a model that need a kernel: those that TensorFlow places.

That sessions of TensorFlow agree is shown in tests/local_server/runtime/loading.
"""

from __future__ import annotations

from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checks.kernel_ops import kernel_ops
from tests.cloudserve.messages import built


def node(name, op, *inputs, **attributes):
    attr = {key: {"func": {"name": value}} for key, value in attributes.items()}
    return {"name": name, "op": op, "input": inputs, "attr": attr}


def function(name, *nodes, control=(), **results):
    return {
        "signature": {"name": name},
        "node_def": nodes,
        "ret": results,
        "control_ret": {one: one for one in control},
    }


def compiled(function):
    return function | {"attr": {"_XlaMustCompile": {"b": True}}}


def ops(*nodes, functions=(), **signatures):
    """Return the kernel ops of a graph; a signature is the tensor that it returns."""
    definitions = {name: {"outputs": {"y": {"name": y}}} for name, y in signatures.items()}
    graph_def = {"node": nodes, "library": {"function": functions}}
    graph = {"graph_def": graph_def, "signature_def": definitions}
    (graph,) = built(proto.SavedModel(), {"meta_graphs": [graph]}).meta_graphs
    return kernel_ops(graph, has_variables=False)


def test_every_node_of_the_main_graph_counts_even_if_nothing_runs_it():
    assert ops(node("y", "Run"), node("z", "Unused"), s="y:0") == ("Run", "Unused")


def test_nodes_of_a_function_count_if_a_signature_calls_it_and_its_results_need_them():
    called = function(
        "f",
        node("a", "Needed"),
        node("b", "Returned", "a:out:0"),
        node("c", "Dead"),
        node("d", "Stateful"),
        control=["d"],
        y="b:out:0",
    )
    other = function("g", node("a", "Uncalled"), y="a:out:0")
    calling = [node("y", "PartitionedCall", f="f"), node("z", "PartitionedCall", f="g")]
    expected = ("Needed", "PartitionedCall", "Returned", "Stateful")
    assert ops(*calling, functions=[called, other], s="y:0") == expected


def test_branches_and_functions_of_functions_count():
    branch = function("then", node("a", "InBranch"), y="a:out:0")
    outer = function("f", node("i", "If", then_branch="then"), y="i:output:0")
    assert ops(node("y", "f"), functions=[outer, branch], s="y:0") == ("If", "InBranch")


def test_a_function_that_xla_compiles_needs_no_kernels():
    inner = compiled(function("f", node("a", "OfXla"), y="a:out:0"))
    call = node("y", "PartitionedCall", f="f")
    assert ops(call, functions=[inner], s="y:0") == ("PartitionedCall",)
    call["attr"] |= {"_XlaMustCompile": {"b": True}}
    assert ops(call, functions=[inner | {"attr": {}}], s="y:0") == ("PartitionedCall",)


def test_an_op_that_tensorflow_replaces_needs_no_kernel():
    assert ops(node("y", "AccumulateNV2"), s="y:0") == ()


def test_a_recursive_function_ends():
    recursive = function("f", node("a", "PartitionedCall", f="f"), y="a:out:0")
    assert ops(node("y", "f"), functions=[recursive], s="y:0") == ("PartitionedCall",)
