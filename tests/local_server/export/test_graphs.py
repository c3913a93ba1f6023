"""`cloudserve export` of TensorFlow 1: checkpoints with their graphs, and frozen graphs."""

from __future__ import annotations

import json
import math
import shlex

import pytest

from cloudserve.check.check import check_model
from cloudserve.cli.errors import run
from cloudserve.local.model_run import Expression, RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model
from tests.local_server.export.graphs import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give a folder with a checkpoint and a frozen graph."""
    folder = tmp_path_factory.mktemp("trained")
    train(folder)
    return folder


def exported(capsys, *args):
    assert run(["export", *map(str, args), "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, code, *args):
    assert run(["export", *map(str, args)]) == code
    return capsys.readouterr().err


def answers(folder, signature="serving_default", **sources):
    inputs = {name: Expression(text) for name, text in sources.items()}
    return json.loads(local_server().run_once(folder, RunRequest(signature, inputs)).answer)[
        "outputs"
    ]


def test_a_checkpoint_is_exported_without_its_training(trained, tmp_path, capsys):
    flags = ["--inputs", "x=x:0", "--outputs", "y=model/y:0"]
    flags += ["--inputs", "words:word=word", "--outputs", "words:z=z"]
    report = exported(capsys, trained / "model.ckpt-7", tmp_path / "m", *flags)
    assert report["signatures"] == ["serving_default", "words"]
    assert (report["compared"], report["ulp"]) == (4, 0)
    folder = tmp_path / "m" / "1"
    assert answers(folder, x="[[1.0]]") == [[pytest.approx(1 / (1 + math.exp(-3.0)))]]
    assert answers(folder, "words", word="['cat', 'dog']") == [6.0, 0.0]
    ops = set(read_saved_model(folder).ops)
    assert not ops & {"ApplyAdam", "Mean", "OneShotIterator", "IteratorGetNext"}
    assert check_model(folder, 1, folder, ("serve",)).findings == ()


def test_a_checkpoint_is_found_by_its_folder_and_its_files(trained, tmp_path, capsys):
    for name in ("", "model.ckpt-7.meta"):
        flags = ["--inputs", "x=x", "--outputs", "y=model/y"]
        assert exported(capsys, trained / name, tmp_path / "m", *flags)["compared"] == 2


def test_an_input_that_a_pipeline_computes_becomes_a_placeholder(trained, tmp_path, capsys):
    flags = ["--inputs", "rows=IteratorGetNext", "--outputs", "y=batched"]
    assert exported(capsys, trained, tmp_path / "m", *flags)["compared"] == 2
    model = read_saved_model(tmp_path / "m" / "1")
    assert not set(model.ops) & {"OneShotIterator", "IteratorGetNext"}
    assert answers(model.path, rows="[[2.0]]") == [[6.0]]


def test_a_tensor_that_another_signature_computes_is_fed(trained, tmp_path, capsys):
    flags = ["--inputs", "x=x", "--outputs", "y=model/y"]
    flags += ["--inputs", "late:product=mul", "--outputs", "late:y=model/y"]
    assert exported(capsys, trained, tmp_path / "m", *flags)["compared"] == 4
    assert answers(tmp_path / "m" / "1", "late", product="[[0.0]]") == [[0.5]]


def test_a_file_of_words_becomes_an_asset(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("cat 2.0\n")
    train(tmp_path, words)
    flags = ["--inputs", "word=word", "--outputs", "z=z"]
    assert exported(capsys, tmp_path / "model.ckpt-7", tmp_path / "m", *flags)["compared"] == 2
    words.unlink()
    folder = tmp_path / "m" / "1"
    assert (folder / "assets" / "words.txt").read_text() == "cat 2.0\n"
    assert answers(folder, word="['cat']") == [6.0]
    text = refusal(capsys, 3, tmp_path / "model.ckpt-7", tmp_path / "n", *flags)
    assert "words.txt" in text
    assert not (tmp_path / "n").exists()


def test_the_ends_of_a_frozen_graph_are_its_signature(trained, tmp_path, capsys):
    assert exported(capsys, trained / "frozen.pb", tmp_path / "m")["compared"] == 2
    (signature,) = read_saved_model(tmp_path / "m" / "1").signatures
    assert [spec.alias for spec in (*signature.inputs, *signature.outputs)] == ["x", "y"]


def test_a_graph_takes_examples_and_answers_as_a_classifier(trained, tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("likely\n")
    flags = ["--examples", "--classify", "y", "--regress", "y"]
    flags += ["--classes", tmp_path / "classes.txt", "--signature", "raw=serving_default"]
    report = exported(capsys, trained / "frozen.pb", tmp_path / "m", *flags)
    assert (report["compared"], report["ulp"]) == (10, 0)
    methods = {
        one.name: one.method_name[19:] for one in read_saved_model(report["path"]).signatures
    }
    assert methods == {
        "classification": "classify",
        "examples": "predict",
        "raw": "predict",
        "regression": "regress",
        "serving_default": "predict",
    }


@pytest.mark.parametrize("name", ["", "model.ckpt-7", "frozen.pb"])
def test_the_line_that_inspect_proposes_exports_the_graph(trained, tmp_path, capsys, name):
    assert run(["inspect", str(trained / name)]) == 3
    line = capsys.readouterr().err.partition("export it: cloudserve export ")[2]
    source, _, *flags = shlex.split(line)
    assert flags == ["--inputs", "x=x:0", "--outputs", "y=model/y:0"]
    assert exported(capsys, source, tmp_path / "m", *flags)["compared"] == 2


WRONG = {
    "no tensors": (["model.ckpt-7"], "the tensors of the signature are not named"),
    "no such tensor": (["frozen.pb", "--outputs", "y=absent"], "the graph has no tensor absent"),
    "no such output": (["frozen.pb", "--outputs", "y=model/y:4"], "no tensor model/y:4"),
    "no meta graph": (["bare.index"], "there is no bare.meta"),
    "not a graph": (["zeros.pb"], "zeros.pb is not a graph, or is truncated"),
    "cut": (["cut.pb"], "cut.pb is not a graph, or is truncated"),
    "too large": (["large.pb"], "and a protobuf has less than 2 GB"),
    "cycle": (["cycle.pb", "--outputs", "y=a"], "TensorFlow does not load the graph"),
    "no output": (["frozen.pb", "--inputs", "x=x"], "has no output: give --outputs"),
    "not a tensor": (["frozen.pb", "--inputs", "x"], "`x` is not [SIGNATURE:]NAME=TENSOR"),
    "no signature": (["frozen.pb", "--signature", "a=absent"], "there is no signature absent"),
    "no images": (["frozen.pb", "--image-bytes"], "the model takes no images"),
    "no scores": (["frozen.pb", "--classify", "absent"], "the model has no output absent"),
    "no classes": (["frozen.pb", "--classes", "classes"], "--classes needs --classify"),
    "classes": (["frozen.pb", "--classify", "y", "--classes", "classes"], "2 classes and 1 scores"),
    "features": (
        ["frozen.pb", "--examples", "--features", "features.json"],
        "its features are not the model's inputs, x",
    ),
}


OF_THE_REQUEST = {
    "no scores": "error: the model has no output absent",
    "classes": "error: there are 2 classes and 1 scores",
}
FEATURES = {
    '{"dtype": "int64", "shape": [2], "default": "word"}': "the default of x is not int64[2]",
    '{"dtype": "int64", "shape": [2], "default": [1]}': "the default of x is not int64[2]",
    '{"dtype": "int64", "shape": [1], "default": 9223372036854775808}': "is not int64[1]",
    '{"dtype": "float32", "shape": [1], "default": true}': "the default of x is not float32[1]",
    '{"dtype": "string", "shape": [null], "default": ["a"]}': "of which it is one value",
    '{"dtype": "int64", "shape": [2147483648]}': "a shape such as [3]",
    '{"dtype": ["int64"]}': "x needs a dtype (float32, int64, string)",
}


@pytest.mark.parametrize("name", OF_THE_REQUEST)
def test_an_error_of_the_request_is_in_its_own_words(
    wrong_files, tmp_path, capsys, monkeypatch, name
):
    monkeypatch.chdir(wrong_files)
    source, *flags = WRONG[name][0]
    assert refusal(capsys, 2, source, tmp_path / "m", *flags).startswith(OF_THE_REQUEST[name])


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_no_example_has_is_one_error(trained, tmp_path, capsys, feature):
    file = tmp_path / "features.json"
    file.write_text(f'{{"x": {feature}}}')
    args = ["--examples", "--features", file]
    text = refusal(capsys, 2, trained / "frozen.pb", tmp_path / "m", *args)
    assert FEATURES[feature] in " ".join(text.split())


def test_a_version_that_needs_another_input_is_one_error(trained, tmp_path, capsys):
    flags = ["--inputs", "x=model/y:0", "--outputs", "y=model/y:0"]
    error = refusal(capsys, 3, trained / "frozen.pb", tmp_path / "m", *flags)
    assert "signature serving_default: its outputs need x, which is not one of its inputs" in error
    assert "{{node" not in error
    assert f"  where: {tmp_path / 'm' / '1'}\n" in error


@pytest.fixture(scope="module")
def wrong_files(trained, tmp_path_factory):
    """Give a folder with the trained files and damaged ones."""
    from cloudserve.local_server.messages import message_class

    folder = tmp_path_factory.mktemp("wrong")
    for path in trained.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "zeros.pb").write_bytes(bytes(20))
    (folder / "cut.pb").write_bytes((folder / "frozen.pb").read_bytes()[:-9])
    with (folder / "large.pb").open("wb") as file:
        file.truncate(3 << 30)
    graph = message_class("tensorflow.GraphDef")()
    graph.node.add(name="a", op="Identity", input=["b"]).attr["T"].type = 1
    graph.node.add(name="b", op="Identity", input=["a"]).attr["T"].type = 1
    (folder / "cycle.pb").write_bytes(graph.SerializeToString())
    (folder / "bare.index").touch()
    (folder / "classes").write_text("a\nb\n")
    (folder / "features.json").write_text('{"z": {"dtype": "float32", "shape": [1]}}')
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_graph_is_one_error(wrong_files, tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(wrong_files)
    (source, *flags), text = WRONG[name]
    assert run(["export", source, str(tmp_path / "m" / "x"), *flags]) in {2, 3}
    error = capsys.readouterr().err
    assert text in " ".join(error.split())
    assert "bug in cloudserve" not in error
    assert list(tmp_path.iterdir()) == []
