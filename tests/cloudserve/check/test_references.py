"""The rules on names in the graph and on where it runs find their planted faults."""

from __future__ import annotations

import shutil

import pytest

from cloudserve.savedmodel import proto
from cloudserve.savedmodel.interface import read_interface
from tests.cloudserve.check.test_rules import DEFAULT, check, node, rules, save, signature, tensor

MISSING = ("missing-node", "error", "")


def placed(device, name="z"):
    return {**node(name, "Identity", "x"), "device": device}


def function(name, *nodes):
    return {"signature": {"name": name, "input_arg": [{"name": "a"}]}, "node_def": nodes}


def call(name, called, of="x"):
    return {**node(name, "PartitionedCall", of), "attr": {"f": {"func": {"name": called}}}}


def served(nodes, functions=(), output="z"):
    return {
        "signatures": {DEFAULT: signature(y=tensor(output))},
        "nodes": nodes,
        "functions": functions,
    }


NAMES = {
    "input": ({"nodes": [node("z", "Identity", "absent:0")]}, [MISSING]),
    "control input": ({"nodes": [node("z", "NoOp", "^absent")]}, [MISSING]),
    "input in a function": ({"functions": [function("f", node("z", "Neg", "b"))]}, [MISSING]),
    "argument": ({"functions": [function("f", node("z", "Neg", "a"))]}, []),
    "output": (
        {"signatures": {DEFAULT: signature(y=tensor("absent"))}},
        [("missing-node", "error", DEFAULT)],
    ),
    "function": (served([call("z", "absent")]), [MISSING]),
    "function that only training calls": ({"nodes": [call("z", "absent")]}, []),
    "function in a function": (
        served([call("z", "f")], [function("f", call("inner", "absent", of="a"))]),
        [],  # the function returns nothing of it
    ),
    "twice": ({"nodes": [node("x", "Placeholder")]}, [("duplicate-node", "error", "")]),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_the_graph_does_not_have(tmp_path, name):
    parts, expected = NAMES[name]
    assert rules(save(tmp_path / "1", **parts)) == expected


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ("/device:GPU:0", False),
        ("/gpu:1", False),
        ("/job:localhost/replica:0/task:0/device:CPU:0", False),
        ("/task:0", False),
        ("/job:*/device:*", False),
        ("/job:worker/task:0", True),
        ("/job:localhost_2", True),
        ("/replica:1/device:CPU:0", True),
        ("/task:3", True),
        ("/nonsense", True),
        ("cpu:0", True),
    ],
)
def test_devices_of_a_cluster(tmp_path, device, found):
    folder = save(tmp_path / "1", nodes=[placed(device)])
    assert rules(folder) == [("remote-device", "error", "")] * found


def test_only_a_function_that_is_called_is_placed(tmp_path):
    inner = function("f", {**placed("/job:ps", "inner"), "input": ["a"]})
    inner["ret"] = {"b": "inner:output:0"}
    assert rules(save(tmp_path / "1", functions=[inner])) == []
    (finding,) = check(save(tmp_path / "2", **served([call("z", "f")], [inner]))).findings
    assert "every request that calls it fails" in finding.why


@pytest.mark.parametrize(
    ("op", "severity", "why"),
    [
        ("PyFunc", "error", "no TensorFlow Serving runs the model"),
        ("BoostedTreesBucketize", "warning", "it needs a server of TensorFlow 1.15 to 2.8"),
        ("CudnnRNNV3", "warning", "it needs a server with a GPU"),
    ],
)
def test_ops_that_the_newest_tensorflow_does_not_run(tmp_path, op, severity, why):
    (finding,) = check(save(tmp_path / "1", nodes=[node("z", op)])).findings
    assert (finding.rule, finding.severity, finding.why[: len(why)]) == (
        "no-version",
        severity,
        why,
    )


def test_ops_that_lack_their_inputs(shared_models, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder, dirs_exist_ok=True)
    path = folder / "saved_model.pb"
    path.chmod(0o644)
    message = proto.SavedModel.FromString(path.read_bytes())
    for one in message.meta_graphs[0].graph_def.node:
        if one.op in {"Identity", "RestoreV2"}:
            del one.input[:]
    path.write_bytes(message.SerializeToString())
    assert ("malformed-node", "error", "") in rules(folder)
    assert read_interface(folder).vocabularies == ()


def test_variables_of_another_export(shared_models, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder, dirs_exist_ok=True)
    before = rules(folder)
    path = folder / "saved_model.pb"
    graph = path.read_bytes()
    path.chmod(0o644)
    # The name of a variable in the restore op's constant, of the same length.
    message = proto.SavedModel.FromString(graph)
    (names,) = [
        n for n in message.meta_graphs[0].graph_def.node if "RestoreV2/tensor_names" in n.name
    ]
    key = names.attr["value"].tensor.string_val[0]
    entry = b"B" + bytes([len(key)]) + key
    assert graph.count(entry) == 2  # of the save op and of the restore op
    path.write_bytes(graph.replace(entry, b"B" + bytes([len(key)]) + b"?" * len(key)))
    assert rules(folder) == [("missing-value", "error", ""), *before]


@pytest.mark.parametrize("target", ["/etc", "..", "absent"])
def test_links_that_no_release_uploads(tmp_path, target):
    folder = save(tmp_path / "1")
    (folder / "assets").mkdir()
    (folder / "assets" / "link").symlink_to(target)
    (finding,) = check(folder).findings
    assert (finding.rule, finding.severity) == ("foreign-file", "warning")
    assert "assets/link" in finding.text


def test_the_draft_of_a_killed_repair_is_to_be_removed(tmp_path):
    folder = save(tmp_path / "1")
    save(tmp_path / ".2.0f3c")
    (finding,) = check(folder, tmp_path).findings
    assert finding.rule == "ignored-directory"
    assert finding.hint.startswith("remove it")
