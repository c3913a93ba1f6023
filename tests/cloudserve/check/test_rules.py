"""Each rule finds its planted fault, and nothing in a sound model."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.check.check import RULES, check_model
from cloudserve.check.finding import Severity
from cloudserve.savedmodel import proto
from tests.cloudserve.messages import built

PREDICT = "tensorflow/serving/predict"
FLOAT, STRING, HALF, BOOL = 1, 7, 19, 10


def tensor(name, dtype=FLOAT, shape=(-1, 3)):
    dims = [{"size": size} for size in shape]
    return {"name": f"{name}:0", "dtype": dtype, "tensor_shape": {"dim": dims}}


def sparse():
    names = ("values", "indices", "dense_shape")
    return {"dtype": FLOAT, "coo_sparse": {f"{one}_tensor_name": "x:0" for one in names}}


def signature(x=None, y=None, method=PREDICT, output="y"):
    return {
        "inputs": {"x": x or tensor("x")},
        "outputs": {output: y or tensor("y")},
        "method_name": method,
    }


def constant(name, text):
    value = {"tensor": {"dtype": STRING, "string_val": [text.encode()]}}
    return {"name": name, "op": "Const", "attr": {"value": value}}


def node(name, op, *inputs):
    return {"name": name, "op": op, "input": inputs}


def opening(op, position, path):
    inputs = [*("x",) * position, "path"]
    return [constant("path", path), node("opener", op, *inputs)]


def save(
    folder,
    signatures=None,
    nodes=(),
    functions=(),
    version="2.21.0",
    assets=(),
    ops=(),
    versions=None,
):
    """Write a SavedModel of these parts."""
    graph = {
        "meta_info_def": {
            "tags": ["serve"],
            "tensorflow_version": version,
            "stripped_op_list": {"op": list(ops)},
        },
        "graph_def": {
            "node": [node("x", "Placeholder"), node("y", "Identity", "x"), *nodes],
            "library": {"function": list(functions)},
            "versions": versions or {},
        },
        "signature_def": {"serving_default": signature()} if signatures is None else signatures,
        "asset_file_def": list(assets),
    }
    folder.mkdir(parents=True, exist_ok=True)
    message = built(proto.SavedModel(), {"meta_graphs": [graph]})
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


def check(folder, base=None):
    return check_model(base or folder, 1, folder, ("serve",))


def rules(folder, base=None):
    return [(one.rule, one.severity.value, one.signature) for one in check(folder, base).findings]


def test_ops_without_definitions_are_named_as_unchecked(tmp_path):
    kinds = [node(name, name) for name in ("A", "B")]
    (text,) = check(save(tmp_path, nodes=kinds)).unchecked
    assert text.startswith("the nodes of 4 ops (A, B, Identity and 1 other) are not compared")
    listed = [{"name": name} for name in ("A", "B", "Identity", "Placeholder")]
    assert not check(save(tmp_path, nodes=kinds, ops=listed)).unchecked


def test_a_sound_model_has_no_finding(tmp_path):
    report = check(save(tmp_path / "1"))
    assert report.findings == ()
    assert report.is_servable
    assert len(report.rules) == len(RULES) + 1


DEFAULT = "serving_default"
INIT = "__saved_model_init_op"
PLANTED = {
    "no signature": ({}, [("no-signature", "error", "")]),
    "another name": ({"run": signature()}, [("no-default-signature", "warning", "")]),
    "no method": ({DEFAULT: signature(method="")}, [("unknown-method", "warning", DEFAULT)]),
    "half": ({DEFAULT: signature(tensor("x", HALF))}, [("no-json-form", "warning", DEFAULT)]),
    "reference": ({DEFAULT: signature(y=tensor("y", FLOAT + 100))}, []),
    "bool": ({DEFAULT: signature(tensor("x", BOOL))}, []),
    "sparse": ({DEFAULT: signature(sparse())}, [("composite-tensor", "error", DEFAULT)]),
    "one row": (
        {DEFAULT: signature(tensor("x", shape=(1, 3)))},
        [("fixed-batch", "warning", DEFAULT)],
    ),
    "scalar": (
        {DEFAULT: signature(y=tensor("y", shape=()))},
        [("scalar-output", "warning", DEFAULT)],
    ),
    "text": (
        {DEFAULT: signature(y=tensor("y", STRING))},
        [("string-output", "note", DEFAULT)],
    ),
    "bytes": ({DEFAULT: signature(y=tensor("y", STRING), output="y_bytes")}, []),
    "classify": (
        {DEFAULT: signature(tensor("x", STRING, (1,)), method="tensorflow/serving/classify")},
        [],
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_signatures(tmp_path, name):
    signatures, expected = PLANTED[name]
    assert rules(save(tmp_path / "1", signatures)) == expected


def test_scalars_of_tensorflow_1_may_have_any_rank(tmp_path):
    scalar = {DEFAULT: signature(y=tensor("y", shape=()))}
    assert rules(save(tmp_path / "1", scalar, version="1.15.0")) == []


def test_a_cycle_in_the_graph(tmp_path):
    nodes = [node("a", "Identity", "b"), node("b", "Identity", "^c"), node("c", "Identity", "a:0")]
    report = check(save(tmp_path / "1", nodes=nodes))
    assert [one.rule for one in report.findings] == ["cyclic-graph"]
    assert report.findings[0].text == "the graph has a cycle through a, b, c"


def test_a_loop_of_tensorflow_1_is_not_a_cycle(tmp_path):
    nodes = [node("a", "Merge", "x", "next"), node("next", "NextIteration", "a")]
    assert rules(save(tmp_path / "1", nodes=nodes)) == []


@pytest.mark.parametrize("op", ["ReadFile", "WriteFile", "PrintV2"])
def test_an_op_that_saved_model_cli_denies(tmp_path, op):
    assert rules(save(tmp_path / "1", nodes=[node("n", op)])) == [("denied-op", "warning", "")]


def test_an_op_of_another_package(tmp_path):
    assert rules(save(tmp_path / "1", nodes=[node("n", "Addons>Parse")])) == [
        ("foreign-op", "error", "")
    ]
    text = save(tmp_path / "2", nodes=[node("n", "WordpieceTokenizeWithOffsets")])
    assert rules(text) == [("foreign-op", "warning", "")]


def test_a_file_that_is_opened_by_an_absolute_path(tmp_path):
    nodes = opening("InitializeTableFromTextFileV2", 1, "/home/ada/words.txt")
    folder = save(tmp_path / "1", nodes=nodes)
    (finding,) = check(folder).findings
    assert finding.rule == "absolute-path"
    assert "/home/ada/words.txt" in finding.text
    relative = opening("InitializeTableFromTextFileV2", 1, "words.txt")
    assert rules(save(tmp_path / "2", nodes=relative)) == []
    inside = {"signature": {"name": "f", "input_arg": [{"name": "x"}]}, "node_def": nodes}
    assert rules(save(tmp_path / "3", functions=[inside])) == [("absolute-path", "error", "")]


def test_the_path_of_an_asset_is_replaced_by_the_loader(tmp_path):
    nodes = opening("InitializeTableFromTextFileV2", 1, "/tmp/words.txt")
    asset = {"tensor_info": {"name": "path:0"}, "filename": "words.txt"}
    folder = save(tmp_path / "1", nodes=nodes, assets=[asset])
    assert rules(folder) == [("missing-asset", "warning", "")]
    (folder / "assets").mkdir()
    (folder / "assets" / "words.txt").write_text("cat\n")
    assert rules(folder) == []


def test_an_asset_that_the_load_reads(tmp_path):
    nodes = opening("InitializeTableFromTextFileV2", 1, "/tmp/words.txt")
    asset = {"tensor_info": {"name": "path:0"}, "filename": "words.txt"}
    init = {"outputs": {INIT: {"name": "opener"}}}
    folder = save(tmp_path / "1", {DEFAULT: signature(), INIT: init}, nodes, assets=[asset])
    assert rules(folder) == [("missing-asset", "error", "")]


def test_an_asset_that_the_load_reads_by_way_of_a_variable(tmp_path):
    nodes = [
        constant("path", ""),
        node("variable", "VarHandleOp"),
        node("assign", "AssignVariableOp", "variable", "path"),
        node("read", "ReadVariableOp", "variable", "^assign"),
        node("opener", "InitializeTableFromTextFileV2", "x", "read"),
    ]
    asset = {"tensor_info": {"name": "path:0"}, "filename": "words.txt"}
    init = {"outputs": {INIT: {"name": "opener"}}}
    folder = save(tmp_path / "1", {DEFAULT: signature(), INIT: init}, nodes, assets=[asset])
    assert rules(folder) == [("missing-asset", "error", "")]


def test_an_asset_that_a_function_of_the_load_reads(tmp_path):
    inner = [node("opener", "InitializeTableFromTextFileV2", "table", "file")]
    arguments = [{"name": "table"}, {"name": "file"}]
    function = {"signature": {"name": "f", "input_arg": arguments}, "node_def": inner}
    call = {
        **node("opener", "PartitionedCall", "x", "path"),
        "attr": {"f": {"func": {"name": "f"}}},
    }
    asset = {"tensor_info": {"name": "path:0"}, "filename": "words.txt"}
    init = {"outputs": {INIT: {"name": "opener"}}}
    folder = save(
        tmp_path / "1",
        {DEFAULT: signature(), INIT: init},
        [constant("path", ""), call],
        [function],
        assets=[asset],
    )
    assert rules(folder) == [("missing-asset", "error", "")]


def test_a_directory_beside_the_versions_that_is_not_a_number(tmp_path):
    folder = save(tmp_path / "1")
    save(tmp_path / "v2")
    (tmp_path / "notes").mkdir()
    (finding,) = check(folder, tmp_path).findings
    assert (finding.rule, finding.hint) == ("ignored-directory", "rename it to a number, such as 2")


def test_a_changed_byte_of_a_variable(tmp_path, shared_models):
    folder = tmp_path / "123"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder)
    assert rules(folder) == []
    (shard,) = folder.glob("variables/variables.data-*")
    shard.write_bytes(bytes([shard.read_bytes()[0] ^ 1]) + shard.read_bytes()[1:])
    assert rules(folder) == [("checksum", "error", "")]


def test_a_broken_model_has_one_finding(tmp_path):
    folder = save(tmp_path / "1")
    (folder / "saved_model.pb").write_bytes(b"no protobuf")
    report = check(folder)
    assert [(one.rule, one.severity) for one in report.findings] == [("unreadable", Severity.ERROR)]
    assert not report.is_readable


SOUND = {"sts_template_app", "tfs_half_plus_two_cpu"}
ODD = {"sm_half_plus_three", "tfs_half_plus_three"}
"""TensorFlow Serving's own model: a signature for Regress declares float32 for its Examples."""


def test_no_error_is_found_in_models_that_work(shared_models):
    folders = sorted(path.parent for path in shared_models.glob("*/*/saved_model.pb"))
    errors = {path.parent.name for path in folders if not check(path).is_servable}
    silent = {path.parent.name for path in folders if not check(path).findings}
    assert errors == {"cassava_tfhub"}
    assert silent >= SOUND
    for name in ODD:
        report = check(next((shared_models / name).iterdir()))
        assert {(one.rule, one.severity.value) for one in report.findings} == {
            ("mismatched-signature", "warning")
        }
