"""Variables that signatures read and the restore op does not write, found in hand-made graphs."""

from __future__ import annotations

import pytest

from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checks.restoring import unrestored_variables
from tests.cloudserve.messages import built


def name_list(name):
    return {"func": {"name": name}}


def node(name, op, *inputs, **functions):
    attr = {key: name_list(value) for key, value in functions.items()}
    return {"name": name, "op": op, "input": inputs, "attr": attr}


def handle(name, shared=None, container=""):
    attr = {
        "shared_name": {"s": (name if shared is None else shared).encode()},
        "container": {"s": container.encode()},
    }
    return {"name": name, "op": "VarHandleOp", "attr": attr}


def function(name, arguments, *nodes):
    signature = {"name": name, "input_arg": [{"name": one} for one in arguments]}
    return {"signature": signature, "node_def": nodes}


READING = function("reading", ["x", "v"], node("r", "ReadVariableOp", "v"))
WRITING = function("writing", ["v"], node("a", "AssignVariableOp", "v", "zero:output:0"))


def graph(*nodes, functions=(), restore="", output="y:0", **more):
    fields = {
        "graph_def": {"node": nodes, "library": {"function": functions}},
        "saver_def": {"restore_op_name": restore},
        "signature_def": {"serving_default": {"outputs": {"y": {"name": output}}}},
        **more,
    }
    (made,) = built(proto.SavedModel(), {"meta_graphs": [fields]}).meta_graphs
    return made


def unrestored(*nodes, has_variables=True, **more):
    return unrestored_variables(graph(*nodes, **more), has_variables=has_variables)


def test_a_variable_that_is_read_and_not_restored_is_found():
    assert unrestored(handle("v"), node("y", "ReadVariableOp", "v")) == ("v",)


def test_a_variable_that_the_restore_op_writes_is_restored():
    nodes = handle("v"), node("y", "ReadVariableOp", "v"), node("r", "NoOp", "^a")
    assign = node("a", "AssignVariableOp", "v", "values")
    assert unrestored(*nodes, assign, restore="r") == ()
    # Without a variables.index TensorFlow Serving does not run the restore op.
    assert unrestored(*nodes, assign, restore="r", has_variables=False) == ("v",)


def test_two_nodes_of_one_shared_name_are_one_variable():
    nodes = [node("y", "ReadVariableOp", "v"), node("r", "AssignVariableOp", "w", "values")]
    assert unrestored(handle("v", "a"), handle("w", "a"), *nodes, restore="r") == ()
    assert unrestored(handle("v", "a"), handle("w", "b"), *nodes, restore="r") == ("a",)
    elsewhere = handle("w", "a", container="c")
    assert unrestored(handle("v", "a"), elsewhere, *nodes, restore="r") == ("a",)


@pytest.mark.parametrize("where", ["signature", "saved_model_main_op", "legacy_init_op"])
def test_an_init_op_gives_variables_their_values(where):
    nodes = [handle("v"), node("y", "ReadVariableOp", "v"), node("i", "AssignVariableOp", "v", "c")]
    model = graph(*nodes)
    if where == "signature":
        model.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "i"
    else:
        model.collection_def[where].node_list.value.append("i")
    assert unrestored_variables(model, has_variables=True) == ()


def test_a_variable_that_only_the_init_op_reads_does_not_matter():
    model = graph(handle("v"), node("y", "Const"), node("i", "ReadVariableOp", "v"))
    model.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "i"
    assert unrestored_variables(model, has_variables=True) == ()


def test_a_handle_is_followed_through_forwarding_ops():
    nodes = [node("e", "Enter", "v"), node("s", "Switch", "e", "p"), node("i", "Identity", "s:1")]
    assert unrestored(handle("v"), *nodes, node("y", "ResourceGather", "i", "n")) == ("v",)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("StatefulPartitionedCall", ["x", "v"]),
        ("If", ["p", "x", "v"]),
        ("StatelessCase", ["p", "x", "v"]),
        ("While", ["x", "v"]),
        ("reading", ["x", "v"]),  # a call by the function's own name, as TensorFlow 1 wrote it
    ],
)
def test_a_handle_is_followed_into_called_functions(op, inputs):
    call = node("y", op, *inputs, f="reading")
    assert unrestored(handle("v"), call, functions=[READING]) == ("v",)


def test_a_handle_that_a_function_takes_and_does_not_read_is_not_needed():
    call = node("y", "PartitionedCall", "v", "x", f="reading")
    assert unrestored(handle("v"), call, functions=[READING]) == ()


def test_calls_of_calls_and_of_oneself_are_followed_to_their_end():
    outer = function("outer", ["x", "v"], node("c", "PartitionedCall", "x", "v", f="inner"))
    inner = function(
        "inner",
        ["x", "v"],
        node("again", "PartitionedCall", "x", "v", f="outer"),
        node("i", "Identity", "v"),
        node("r", "ReadVariableOp", "i:output:0"),
    )
    call = node("y", "PartitionedCall", "x", "v", f="outer")
    assert unrestored(handle("v"), call, functions=[outer, inner]) == ("v",)


def test_branches_in_a_list_are_followed():
    call = node("y", "Case", "p", "x", "v")
    call["attr"]["branches"] = {"list": {"func": [{"name": "reading"}]}}
    assert unrestored(handle("v"), call, functions=[READING]) == ("v",)


def test_a_variable_that_a_signature_assigns_may_be_unset_at_first():
    nodes = [node("y", "Pack", "r", "^w"), node("r", "ReadVariableOp", "v")]
    assign = node("w", "StatefulPartitionedCall", "v", f="writing")
    assert unrestored(handle("v"), *nodes, assign, functions=[WRITING]) == ()


def test_a_fed_tensor_hides_its_ancestors():
    model = graph(handle("v"), node("x", "ReadVariableOp", "v"), node("y", "Neg", "x"))
    model.signature_def["serving_default"].inputs["x"].name = "x:0"
    assert unrestored_variables(model, has_variables=True) == ()


def test_a_question_about_a_variable_does_not_read_it():
    assert unrestored(handle("v"), node("y", "VarIsInitializedOp", "v")) == ()
    reference = {"name": "v", "op": "VariableV2"}
    assert unrestored(reference, node("y", "IsVariableInitialized", "v")) == ()
    assert unrestored(reference, node("y", "Identity", "v")) == ("v",)


def test_a_graph_with_a_loop_ends():
    nodes = [node("y", "Merge", "y"), node("z", "ReadVariableOp", "y")]
    assert unrestored(handle("v"), *nodes, output="z:0") == ()
