"""`cloudserve repair`: a copy that TensorFlow Serving can answer with, or nothing at all."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.messages import message_class

from cloudserve.cli.errors import run
from cloudserve.savedmodel import read_saved_model, read_tree


@pytest.fixture(scope="module")
def keras_save(tmp_path_factory):
    """Give a Keras 3 model as `tf.saved_model.save` writes it, with inputs and their outputs."""
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    path = tmp_path_factory.mktemp("keras") / "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf.saved_model.save(model, str(path))
    x = np.random.default_rng(3).random((2, 3), np.float32)
    return path, x, model(x).numpy()


def repaired(capsys, *args):
    assert run(["repair", *map(str, args), "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, code, *args):
    assert run(["repair", *map(str, args)]) == code
    return capsys.readouterr().err


def test_tensorflow_1_restores_the_copy_and_answers_as_keras(keras_save, tmp_path, capsys):
    path, x, expected = keras_save
    before = read_tree(path)
    report = repaired(capsys, path, tmp_path / "2")
    assert report["changes"] == ["the restore op sets 4 variables that it left without a value"]
    assert report["compared"] == 8
    assert read_tree(path) == before
    spec = read_saved_model(tmp_path / "2").signature("serving_default")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "2"))
        feeds = {spec.inputs[0].tensor_name: x}
        assert session.run(spec.outputs[0].tensor_name, feeds).tolist() == expected.tolist()


def test_the_changes_of_a_repair_are_printed(keras_save, tmp_path, capsys):
    assert run(["repair", str(keras_save[0]), str(tmp_path / "2")]) == 0
    assert capsys.readouterr().out == (
        f"wrote {tmp_path / '2'}\n"
        "  the restore op sets 4 variables that it left without a value\n"
        "  8 requests answered with the same bits\n"
    )


def test_a_copy_of_a_signature(shared_models, tmp_path, capsys):
    counter = shared_models / "tfs_counter"
    report = repaired(
        capsys, counter, tmp_path / "1", "--signature", "serving_default=incr_counter_by"
    )
    assert report["changes"] == ["the signature serving_default is a copy of incr_counter_by"]
    assert report["uncompared"] == "the model refuses the requests that are made up"
    names = {one.name for one in read_saved_model(tmp_path / "1").signatures}
    assert {"serving_default", "incr_counter_by"} <= names


def place(source, target):
    """Copy a model whose nodes are placed on a GPU."""
    shutil.copytree(source, target)
    message = message_class("tensorflow.SavedModel")
    model = message.FromString((target / "saved_model.pb").read_bytes())
    for node in model.meta_graphs[0].graph_def.node:
        node.device = "/device:GPU:0"
    (target / "saved_model.pb").write_bytes(model.SerializeToString())
    return target


def test_devices_are_cleared(shared_models, tmp_path, capsys):
    placed = place(shared_models / "tfs_half_plus_two_cpu" / "123", tmp_path / "1")
    report = repaired(capsys, placed, tmp_path / "2", "--clear-devices")
    assert report["changes"][0].endswith("nodes may run on any device")
    assert b"GPU" not in (tmp_path / "2" / "saved_model.pb").read_bytes()


def test_a_sound_model_is_not_copied(shared_models, tmp_path, capsys):
    text = refusal(capsys, 2, shared_models / "tfs_half_plus_two_cpu", tmp_path / "2")
    assert text.startswith("error: there is nothing to repair\n")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_path_is_not_touched(keras_save, tmp_path, capsys):
    (tmp_path / "2").mkdir()
    assert "the path exists" in refusal(capsys, 2, keras_save[0], tmp_path / "2")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert "the path exists" in refusal(capsys, 2, keras_save[0], tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "link"]


@pytest.mark.parametrize("place", ["2", "variables/2", "absent/2"])
def test_no_copy_is_written_into_a_model(keras_save, capsys, place):
    before = read_tree(keras_save[0])
    text = refusal(capsys, 5, keras_save[0], keras_save[0] / place)
    assert "the copy would be part of the model 1" in text
    assert read_tree(keras_save[0]) == before


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("a=absent", "there is no signature absent"),
        ("serving_default=serving_default", "there is a signature serving_default"),
        ("a", "`a` is not NEW=OLD"),
    ],
)
def test_a_wrong_signature_is_one_error(keras_save, tmp_path, capsys, signature, text):
    args = [keras_save[0], tmp_path / "2", "--signature", signature]
    assert text in refusal(capsys, 2, *args)
    assert list(tmp_path.iterdir()) == []


def test_variables_that_the_restore_op_does_not_assign_are_named(keras_save, tmp_path, capsys):
    broken = tmp_path / "1"
    shutil.copytree(keras_save[0], broken)
    message = message_class("tensorflow.SavedModel")
    model = message.FromString((broken / "saved_model.pb").read_bytes())
    model.meta_graphs[0].object_graph_def.ClearField("concrete_functions")
    (broken / "saved_model.pb").write_bytes(model.SerializeToString())
    assert "the checkpoint has no value for" in refusal(capsys, 3, broken, tmp_path / "2")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_folder_that_cannot_be_written_is_one_error(keras_save, tmp_path, capsys):
    (tmp_path / "file").touch()
    text = refusal(capsys, 2, keras_save[0], tmp_path / "file" / "2")
    assert "the copy cannot be written: " in text


def test_variables_become_constants(keras_save, tmp_path, capsys):
    path, x, expected = keras_save
    report = repaired(capsys, path, tmp_path / "2", "--freeze")
    assert report["changes"][1] == "4 variables became constants"
    assert (report["compared"], report["ulp"] < 8) == (8, True)
    assert not (tmp_path / "2" / "variables").exists()
    model = read_saved_model(tmp_path / "2")
    assert not set(model.ops) & {"VarHandleOp", "ReadVariableOp"}
    spec = model.signature("serving_default")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "2"))
        answer = session.run(spec.outputs[0].tensor_name, {spec.inputs[0].tensor_name: x})
    assert np.allclose(answer, expected, rtol=0, atol=1e-6)


def test_a_model_with_a_state_is_not_frozen(shared_models, tmp_path, capsys):
    text = refusal(capsys, 3, shared_models / "tfs_counter", tmp_path / "2", "--freeze")
    assert "the model changes variables when it loads or answers (Assign, AssignAdd)" in text
    assert list(tmp_path.iterdir()) == []


def test_inputs_and_outputs_are_renamed(shared_models, tmp_path, capsys):
    half = shared_models / "tfs_half_plus_two_cpu"
    report = repaired(
        capsys, half, tmp_path / "2", "--rename-input", "number=x", "--rename-output", "half=y"
    )
    assert report["changes"] == [
        "x is number among the inputs of serving_default",
        "y is half among the outputs of serving_default",
    ]
    assert report["compared"] == 8
    signature = read_saved_model(tmp_path / "2").signature("serving_default")
    assert [spec.alias for spec in (*signature.inputs, *signature.outputs)] == ["number", "half"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a=absent", "no signature that predicts has absent among its inputs"),
        ("delta=delta", "the inputs of incr_counter_by have delta already"),
        ("delta", "`delta` is not NEW=OLD"),
    ],
)
def test_a_wrong_name_is_one_error(shared_models, tmp_path, capsys, name, text):
    args = [shared_models / "tfs_counter", tmp_path / "new" / "2", "--rename-input", name]
    assert text in refusal(capsys, 2, *args)
    assert list(tmp_path.iterdir()) == []


def test_nodes_of_the_training_are_removed(shared_models, tmp_path, capsys):
    counter = shared_models / "tfs_counter"
    before = read_saved_model(counter / "123")
    message = message_class("tensorflow.SavedModel")
    shutil.copytree(counter / "123", tmp_path / "1")
    model = message.FromString((tmp_path / "1" / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0]
    graph.graph_def.node.add(name="gradients", op="NoOp")
    graph.signature_def["__saved_model_train_op"].outputs["train"].name = "gradients"
    (tmp_path / "1" / "saved_model.pb").write_bytes(model.SerializeToString())
    report = repaired(capsys, tmp_path / "1", tmp_path / "2", "--prune")
    assert "removed that neither requests nor a load need" in report["changes"][0]
    after = message.FromString((tmp_path / "2" / "saved_model.pb").read_bytes()).meta_graphs[0]
    assert "gradients" not in {node.name for node in after.graph_def.node}
    assert read_saved_model(tmp_path / "2").signatures == before.signatures
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "2"))


def test_a_file_that_cannot_be_read_is_one_sentence(keras_save, tmp_path, capsys):
    shutil.copytree(keras_save[0], tmp_path / "1")
    (tmp_path / "1" / "assets").mkdir(exist_ok=True)
    (tmp_path / "1" / "assets" / "gone").symlink_to("absent")
    text = refusal(capsys, 3, tmp_path / "1", tmp_path / "new" / "2")
    assert text.startswith("error: assets/gone is a dangling link, or vanished while ")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


class TwoAnswers(tf.Module):
    """Two signatures, a constant of a function that no signature calls, and a file."""

    def __init__(self, file):
        super().__init__()
        self.factor = tf.Variable(2.0)
        self.numbers = tf.constant([1.0, 2.0, 3.0])
        words = tf.lookup.TextFileInitializer(
            str(file),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.words = tf.lookup.StaticHashTable(words, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x):
        return {"output_0": x * self.factor, "output_1": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def number(self, word):
        return {"scores": self.words.lookup(word)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "n")])
    def constant(self, n):
        return self.numbers[n]


@pytest.fixture(scope="module")
def two_answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    (folder / "fingerprint.pb").write_text("a\nsample\n")
    module = TwoAnswers(folder / "fingerprint.pb")
    signatures = {"serving_default": module.double, "number": module.number}
    tf.saved_model.save(module, str(folder / "1"), signatures=signatures)
    return folder / "1"


def test_a_name_that_another_signature_has_already(two_answers, tmp_path, capsys):
    report = repaired(capsys, two_answers, tmp_path / "2", "--rename-output", "scores=output_0")
    assert report["compared"] == 8


def test_a_name_that_another_output_gives_up(two_answers, tmp_path, capsys):
    names = ("--rename-output", "double=output_0", "--rename-output", "output_0=output_1")
    assert repaired(capsys, two_answers, tmp_path / "2", *names)["compared"] == 8


def test_an_asset_is_kept_whatever_its_name_is(two_answers, tmp_path, capsys):
    repaired(capsys, two_answers, tmp_path / "2", "--rename-input", "number=x")
    assert (two_answers / "fingerprint.pb").exists()
    assert not (tmp_path / "2" / "fingerprint.pb").exists()
    assert (tmp_path / "2" / "assets" / "fingerprint.pb").read_text() == "a\nsample\n"


def test_python_loads_a_model_without_its_training(two_answers, tmp_path, capsys):
    repaired(capsys, two_answers, tmp_path / "2", "--prune", "--rename-input", "number=x")
    loaded = tf.saved_model.load(str(tmp_path / "2"))
    assert loaded.constant(tf.constant(1)).numpy() == 2.0


def test_variables_become_constants_of_a_graph_without_its_training(keras_save, tmp_path, capsys):
    report = repaired(capsys, keras_save[0], tmp_path / "2", "--freeze", "--prune")
    assert [text.partition(" ")[2] for text in report["changes"]] == [
        "restore op sets 4 variables that it left without a value",
        "nodes removed that neither requests nor a load need",
        "variables became constants",
    ]
    assert report["compared"] == 8


def test_a_model_without_variables_is_pruned_alone(tmp_path, capsys):
    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def __call__(self, x):
            return {"y": x / 2}

    half = Half()
    tf.saved_model.save(half, str(tmp_path / "1"), signatures=half.__call__)
    message = message_class("tensorflow.SavedModel")
    model = message.FromString((tmp_path / "1" / "saved_model.pb").read_bytes())
    model.meta_graphs[0].graph_def.node.add(name="gradients", op="NoOp")
    (tmp_path / "1" / "saved_model.pb").write_bytes(model.SerializeToString())
    report = repaired(capsys, tmp_path / "1", tmp_path / "2", "--freeze", "--prune")
    assert report["changes"] == ["1 node removed that neither requests nor a load need"]
    assert tf.saved_model.load(str(tmp_path / "2"))(tf.constant([1.0]))["y"].numpy() == [0.5]


def test_a_model_with_a_generator_is_not_frozen(tmp_path, capsys):
    class Noise(tf.Module):
        def __init__(self):
            super().__init__()
            self.generator = tf.random.Generator.from_seed(1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def __call__(self, x):
            return {"y": x + self.generator.normal(tf.shape(x))}

    noise = Noise()
    tf.saved_model.save(noise, str(tmp_path / "1"), signatures=noise.__call__)
    text = refusal(capsys, 3, tmp_path / "1", tmp_path / "new" / "2", "--freeze")
    assert "the model changes variables when it loads or answers (RngReadAndSkip)" in text


class Vectors(tf.Module):
    """Rows of a variable by the numbers of words, which a file has."""

    def __init__(self, file):
        super().__init__()
        self.rows = tf.Variable([[1.5], [2.0], [3.0]])
        words = tf.lookup.TextFileInitializer(
            str(file),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.words = tf.lookup.StaticVocabularyTable(words, 1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def __call__(self, word):
        number = self.words.lookup(word)
        one = tf.gather_nd(self.rows, number[:, tf.newaxis])
        return {"row": tf.gather(self.rows, number), "one": one, "number": number}


def test_a_frozen_model_keeps_the_files_of_its_tables(tmp_path, capsys):
    (tmp_path / "words.txt").write_text("cat\ncafé\n")
    vectors = Vectors(tmp_path / "words.txt")
    tf.saved_model.save(vectors, str(tmp_path / "1"), signatures=vectors.__call__)
    (tmp_path / "words.txt").unlink()
    report = repaired(capsys, tmp_path / "1", tmp_path / "2", "--freeze")
    assert report["changes"] == ["1 variable became constants"]
    assert (report["compared"], report["ulp"]) == (8, 0)
    assert not (tmp_path / "2" / "variables").exists()
    assert (tmp_path / "2" / "assets" / "words.txt").read_text() == "cat\ncafé\n"
    signature = read_saved_model(tmp_path / "2").signature("serving_default")
    words = np.array(["cat", "café".encode(), "dog"], object)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "2"))
        outputs = {spec.alias: spec.tensor_name for spec in signature.outputs}
        answer = session.run(outputs, {signature.inputs[0].tensor_name: words})
    assert {name: values.tolist() for name, values in answer.items()} == {
        "row": [[1.5], [2.0], [3.0]],
        "one": [[1.5], [2.0], [3.0]],
        "number": [0, 1, 2],
    }


def test_a_model_whose_table_is_in_the_checkpoint_is_not_frozen(tmp_path, capsys):
    class Counts(tf.Module):
        def __init__(self):
            super().__init__()
            self.factor = tf.Variable(2.0)
            self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
            self.table.insert(tf.constant(["a"]), tf.constant([4.0]))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
        def __call__(self, word):
            return {"y": self.table.lookup(word) * self.factor}

    counts = Counts()
    tf.saved_model.save(counts, str(tmp_path / "1"), signatures=counts.__call__)
    text = refusal(capsys, 3, tmp_path / "1", tmp_path / "2", "--freeze")
    assert "the content of a table is restored with the variables" in " ".join(text.split())
    assert not (tmp_path / "2").exists()
