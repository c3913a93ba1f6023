"""Nodes, calls, signatures and stored values that do not fit the definitions of their ops."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checks.graph_needs import GRAPH_VERSIONS, GraphNeeds, graph_needs
from cloudserve.savedmodel.graph import read_graph
from tests.cloudserve.check.test_rules import DEFAULT, check, node, rules, save, signature, tensor

FLOAT, DOUBLE, STRING = 1, 2, 7
TYPE = {"name": "T", "type": "type"}
NUMERIC = {**TYPE, "allowed_values": {"list": {"type": [FLOAT, DOUBLE]}}}
OPS = [
    {
        "name": "Placeholder",
        "output_arg": [{"name": "output", "type_attr": "dtype"}],
        "attr": [{"name": "dtype", "type": "type", "default_value": {"type": FLOAT}}],
    },
    {
        "name": "Identity",
        "input_arg": [{"name": "input", "type_attr": "T"}],
        "output_arg": [{"name": "output", "type_attr": "T"}],
        "attr": [{**TYPE, "default_value": {"type": FLOAT}}],
    },
    {
        "name": "Mul",
        "input_arg": [{"name": "x", "type_attr": "T"}, {"name": "y", "type_attr": "T"}],
        "output_arg": [{"name": "z", "type_attr": "T"}],
        "attr": [NUMERIC],
    },
    {
        "name": "Pack",
        "input_arg": [{"name": "values", "type_attr": "T", "number_attr": "N"}],
        "output_arg": [{"name": "output", "type_attr": "T"}],
        "attr": [TYPE, {"name": "N", "type": "int"}],
    },
    {
        "name": "PartitionedCall",
        "input_arg": [{"name": "args", "type_list_attr": "Tin"}],
        "output_arg": [{"name": "output", "type_list_attr": "Tout"}],
        "attr": [{"name": "Tin", "type": "list(type)"}, {"name": "Tout", "type": "list(type)"}],
    },
]


def typed(name, op, *inputs, dtype=FLOAT, **attributes):
    return {**node(name, op, *inputs), "attr": {"T": {"type": dtype}, **attributes}}


def call(name, *inputs, tin=(FLOAT,), tout=(FLOAT,)):
    types = {"Tin": {"list": {"type": tin}}, "Tout": {"list": {"type": tout}}}
    return {
        **node(name, "PartitionedCall", *inputs),
        "attr": {"f": {"func": {"name": "f"}}, **types},
    }


def twice(*nodes, result="m:z:0"):
    """Return a function of one float."""
    argument, output = ({"name": name, "type": FLOAT} for name in ("a", "r"))
    return {
        "signature": {"name": "f", "input_arg": [argument], "output_arg": [output]},
        "node_def": nodes or [typed("m", "Mul", "a", "a")],
        "ret": {"r": result},
    }


NODES = {
    "sound": ([typed("z", "Mul", "x", "y:0", "^y")], ""),
    "attribute missing": ([node("z", "Mul", "x", "y")], "a Mul, lacks the attribute T"),
    "default": ([node("z", "Identity", "x")], ""),
    "another kind": (
        [{**node("z", "Mul", "x", "y"), "attr": {"T": {"i": 3}}}],
        "has a value for the attribute T that is not a type",
    ),
    "no kind": ([{**node("z", "Mul", "x", "y"), "attr": {"T": {}}}], "that is not a type"),
    "not allowed": ([typed("z", "Mul", "x", "y", dtype=STRING)], "does not take string"),
    "too few": ([typed("z", "Mul", "x")], "has 1 input, and its op takes 2"),
    "too many": ([typed("z", "Identity", "x", "y")], "has 2 inputs, and its op takes 1"),
    "as many as N": ([typed("z", "Pack", "x", "y", "x", N={"i": 3})], ""),
    "not N": ([typed("z", "Pack", "x", N={"i": 3})], "has 1 input, and its op takes 3"),
    "control first": ([typed("z", "Identity", "^y", "x")], "a control input before another"),
    "name": ([node("a b", "NoOp")], "`a b`, which is not a valid one"),
    "output 1": ([typed("z", "Identity", "x:1")], "reads x:1, an output that the node does not"),
    "negative output": ([typed("z", "Identity", "x:-1")], "reads x:-1, an output that"),
    "another dtype": (
        [typed("z", "Identity", "x", dtype=DOUBLE)],
        "reads x, which is float32, and takes float64",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(tmp_path, name):
    nodes, text = NODES[name]
    findings = check(save(tmp_path / "1", nodes=nodes, ops=OPS)).findings
    errors = [one.text for one in findings if one.rule in {"malformed-node", "mismatched-input"}]
    assert bool(errors) == bool(text)
    assert text in "".join(errors)


CALLS = {
    "sound": (call("z", "x"), twice(), []),
    "argument too many": (call("z", "x", "x", tin=(FLOAT, FLOAT)), twice(), ["mismatched-call"]),
    "argument": (call("z", "x", tin=(DOUBLE,)), twice(), ["mismatched-input", "mismatched-call"]),
    "result": (call("z", "x", tout=(DOUBLE,)), twice(), ["mismatched-call"]),
    "result too many": (call("z", "x", tout=(FLOAT, FLOAT)), twice(), ["mismatched-call"]),
    "in the function": (call("z", "x"), twice(typed("m", "Mul", "a")), ["malformed-node"]),
    "output by name": (
        call("z", "x"),
        twice(typed("n", "Mul", "a", "a"), typed("m", "Mul", "n:y:0", "a")),
        ["mismatched-input"],
    ),
    "returns nothing": (call("z", "x"), twice(result="absent:z:0"), ["missing-node"]),
    "returns its argument": (call("z", "x"), twice(result="a"), []),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(tmp_path, name):
    called, function, expected = CALLS[name]
    signatures = {DEFAULT: signature(y=tensor("z"))}
    folder = save(tmp_path / "1", signatures, [called], [function], ops=OPS)
    errors = [rule for rule, severity, _ in rules(folder) if severity == "error"]
    assert errors == expected


def test_a_function_that_nothing_calls_is_not_judged(tmp_path):
    function = twice(typed("m", "Mul"))
    assert rules(save(tmp_path / "1", functions=[function], ops=OPS)) == []


def test_functions_with_one_name(tmp_path):
    functions = [twice(), twice(typed("n", "Mul", "a", "a"))]
    assert rules(save(tmp_path / "1", functions=functions)) == [("duplicate-node", "error", "")]
    assert rules(save(tmp_path / "2", functions=[twice(), twice()])) == []
    named = twice()
    named["signature"]["name"] = "Identity"
    found = rules(save(tmp_path / "3", functions=[named]))
    assert ("duplicate-node", "error", "") in found


SIGNATURES = {
    "output 1": (signature(y={**tensor("y"), "name": "y:1"}), [("mismatched-signature", "error")]),
    "input dtype": (signature(tensor("x", DOUBLE)), [("mismatched-signature", "error")]),
    "output dtype": (signature(y=tensor("y", DOUBLE)), [("mismatched-signature", "warning")]),
    "input of classify": (
        signature(tensor("x", DOUBLE), method="tensorflow/serving/classify"),
        [("mismatched-signature", "warning")],
    ),
    "reference": (signature(y=tensor("y", FLOAT + 100)), []),
    "unfed": ({**signature(), "inputs": {"x": tensor("y")}}, []),
    "nothing fed": ({**signature(), "inputs": {}}, [("unfed-input", "error")]),
    "fed twice": (
        {**signature(), "inputs": {"a": tensor("x"), "b": tensor("x")}},
        [("mismatched-signature", "error")],
    ),
    "no output": ({**signature(), "outputs": {}}, [("no-output", "error")]),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_tensors_of_signatures(tmp_path, name):
    one, expected = SIGNATURES[name]
    found = rules(save(tmp_path / "1", {DEFAULT: one}, ops=OPS))
    assert found == [(rule, severity, DEFAULT) for rule, severity in expected]


@pytest.mark.parametrize(
    ("shape", "producer", "found"),
    [((-1, 3), 30, 0), ((5, 3), 30, 0), ((-1, 4), 30, 1), ((3,), 30, 1), ((), 30, 1), ((), 20, 0)],
)
def test_the_shape_of_a_placeholder(tmp_path, shape, producer, found):
    dims = {"dim": [{"size": size} for size in shape]}
    fed = {**node("p", "Placeholder"), "attr": {"shape": {"shape": dims}}}
    folder = save(
        tmp_path / "1", {DEFAULT: signature(tensor("p"))}, [fed], versions={"producer": producer}
    )
    findings = check(folder).findings
    assert [one.rule for one in findings].count("mismatched-signature") == found


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"producer": 2000, "min_consumer": 12}, []),
        ({"min_consumer": GRAPH_VERSIONS["2.21"]}, []),
        ({"min_consumer": 1_000_000}, [("graph-version", "error", "")]),
        ({"producer": -1}, [("graph-version", "error", "")]),
        ({"bad_consumers": [GRAPH_VERSIONS["2.21"]]}, [("graph-version", "warning", "")]),
    ],
)
def test_versions_of_graphs(tmp_path, versions, expected):
    assert rules(save(tmp_path / "1", versions=versions)) == expected


@pytest.mark.parametrize(
    ("needs", "version", "text"),
    [
        (
            GraphNeeds(min_consumer=600),
            "2.4.1",
            "min consumer version 600 above current version 561",
        ),
        (GraphNeeds(min_consumer=600), "2.5", ""),
        (GraphNeeds(min_consumer=600), "latest", ""),
        (GraphNeeds(bad_consumers=(561,)), "2.4", "disallows consumer version 561"),
        (GraphNeeds(attributes=("VarHandleOp.debug_name",)), "2.4", "'debug_name' not in Op<"),
        (GraphNeeds(attributes=("VarHandleOp.debug_name",)), "2.5", ""),
        (GraphNeeds(attributes=("VarHandleOp.allowed_devices",)), "2.3", ""),
        (GraphNeeds(attributes=("VarHandleOp.allowed_devices",)), "2.2", "'allowed_devices'"),
    ],
)
def test_a_version_refuses_graphs_of_later_ones(needs, version, text):
    refusal = needs.refusal(version)
    assert bool(refusal) == bool(text)
    assert text in refusal


def test_a_graph_names_the_attributes_that_not_every_version_has(tmp_path):
    variable = {
        **node("v", "VarHandleOp"),
        "attr": {"debug_name": {"s": b"v"}, "dtype": {"type": 1}},
    }
    report = check(save(tmp_path / "1", nodes=[variable]))
    assert report.findings == ()
    message = proto.SavedModel.FromString((tmp_path / "1" / "saved_model.pb").read_bytes())
    graph = message.meta_graphs[0].graph_def
    assert graph_needs(graph, read_graph(graph)).attributes == ("VarHandleOp.debug_name",)


@pytest.mark.parametrize(
    ("attribute", "text"),
    [("dtype", "float32 in variables/ and float64"), ("shape", "[] in variables/ and [7]")],
)
def test_variables_of_another_type(shared_models, tmp_path, attribute, text):
    folder = tmp_path / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder, dirs_exist_ok=True)
    path = folder / "saved_model.pb"
    path.chmod(0o644)
    message = proto.SavedModel.FromString(path.read_bytes())
    for one in message.meta_graphs[0].graph_def.node:
        if one.op == "VariableV2" and attribute == "shape":
            one.attr["shape"].shape.dim.add(size=7)
        if one.op == "RestoreV2" and attribute == "dtype":
            one.attr["dtypes"].list.type[0] = DOUBLE
    path.write_bytes(message.SerializeToString())
    findings = [one for one in check(folder).findings if one.rule == "mismatched-value"]
    assert findings
    assert text in findings[0].text
