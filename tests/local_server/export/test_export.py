"""`cloudserve export`: Keras files and Python objects become versions of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

import cloudserve
from cloudserve.check.check import check_model
from cloudserve.cli.errors import run
from cloudserve.errors import ModelError
from cloudserve.local.model_run import ArrayFile, BytesFile, Expression, RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model

# Keras calls numpy in the way of its first version.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
layers = tf.keras.layers


class Words(tf.Module):
    """A variable, a table, and two functions, one of which does not name its argument."""

    def __init__(self):
        self.factor = tf.Variable(2.0)
        pairs = tf.lookup.KeyValueTensorInitializer(["cat"], [1.0])
        self.table = tf.lookup.StaticHashTable(pairs, 0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def __call__(self, x):
        return {"y": x * self.factor}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def look_up(self, word):
        return {"number": self.table.lookup(word) * self.factor}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Give a saved model of 4x4 images, with the model."""
    pixels = layers.Input((4, 4, 3), name="pixels")
    scores = layers.Dense(2, "softmax", name="scores")(layers.Flatten()(pixels))
    model = tf.keras.Model(pixels, scores)
    path = tmp_path_factory.mktemp("keras") / "cats.keras"
    model.save(path)
    return path, model


def exported(capsys, *args):
    assert run(["export", *map(str, args), "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, code, *args):
    assert run(["export", *map(str, args)]) == code
    return capsys.readouterr().err


def answers(folder, signature, **sources):
    result = local_server().run_once(folder, RunRequest(signature, sources))
    return json.loads(result.answer)["outputs"]


def test_a_keras_file_is_exported_as_the_next_version(images, tmp_path, capsys):
    path, model = images
    report = exported(capsys, path, tmp_path / "cats")
    assert (report["version"], report["signatures"]) == (1, ["serving_default"])
    assert (report["compared"], report["ulp"] < 8) == (2, True)
    folder = tmp_path / "cats" / "1"
    assert check_model(folder, 1, folder, ("serve",)).findings == ()
    (signature,) = read_saved_model(folder).signatures
    assert [spec.alias for spec in (*signature.inputs, *signature.outputs)] == ["pixels", "scores"]
    x = np.random.default_rng(1).random((2, 4, 4, 3), np.float32)
    np.save(tmp_path / "x.npy", x)
    served = answers(folder, "serving_default", pixels=ArrayFile(tmp_path / "x.npy"))
    assert np.allclose(served, model(x).numpy(), rtol=0, atol=1e-6)
    assert exported(capsys, path, tmp_path / "cats")["version"] == 2
    assert sorted(one.name for one in (tmp_path / "cats").iterdir()) == ["1", "2"]


def test_image_files_are_decoded_and_resized(images, tmp_path, capsys):
    path, model = images
    report = exported(capsys, path, tmp_path / "cats", "--image-bytes")
    assert report["signatures"] == ["image_bytes", "serving_default"]
    pixels = np.random.default_rng(1).integers(0, 255, (8, 8, 3), np.uint8)
    (tmp_path / "cat.png").write_bytes(tf.io.encode_png(pixels).numpy())
    served = answers(
        tmp_path / "cats" / "1", "image_bytes", image_bytes=BytesFile(tmp_path / "cat.png")
    )
    resized = tf.image.resize(pixels, [4, 4])[tf.newaxis] / 255.0
    assert np.allclose(served, model(resized).numpy(), rtol=0, atol=1e-5)


def test_the_model_of_a_function_is_exported(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training.py").write_text(
        "import tensorflow as tf\n"
        "def build():\n"
        "    x = tf.keras.Input((2,), name='x')\n"
        "    return tf.keras.Model(x, tf.keras.layers.Dense(1, name='y')(x))\n"
    )
    assert exported(capsys, "training:build", "models/line")["compared"] == 2


def test_a_module_is_exported_from_python(tmp_path):
    report = cloudserve.export(Words(), tmp_path / "words", version=7)
    assert (report.version, report.ulp, report.compared) == (7, 0, 4)
    assert report.signatures == ("look_up", "serving_default")
    ones = Expression("[[1.0, 1.0]]")
    assert answers(report.path, "serving_default", x=ones) == [[2.0, 2.0]]
    words = Expression("['cat', 'dog']")
    assert answers(report.path, "look_up", word=words) == [2.0, 0.0]


def module(spec, function):
    """Return a module with one function."""
    return type("One", (tf.Module,), {"__call__": tf.function(function, input_signature=spec)})()


def test_functions_are_exported_with_their_variables(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores.py").write_text(
        "import tensorflow as tf\n"
        "weight = tf.Variable(3.0)\n"
        "spec = tf.TensorSpec([None], tf.float32, 'x')\n"
        "score = tf.function(lambda x: {'y': x * weight}, input_signature=[spec])\n"
        "concrete = lambda: score.get_concrete_function()\n"
        "def attribute():\n"
        "    module = tf.Module()\n"
        "    module.score, module.weight = score, weight\n"
        "    return module\n"
    )
    for name in ("score", "concrete", "attribute"):
        report = exported(capsys, f"scores:{name}", name)
        assert (report["signatures"], report["compared"]) == (["serving_default"], 2)
        values = answers(tmp_path / name / "1", "serving_default", x=Expression("[2.0]"))
        assert values == [6.0]


def one(self, x):
    return x


def two(self, x):
    return x, x + 1.0


def inverse(self, x):
    return {"y": tf.linalg.inv(x)}


def random_text(self, x):
    return {"y": tf.as_string(tf.random.uniform([3]))}


def random_size(self, x):
    return {"y": tf.zeros([tf.random.uniform([], 0, 2**20, tf.int32)])}


def divided(self, x):
    return {"y": 1 / 0}


def of_python(self, x):
    return {"y": tf.numpy_function(lambda a: a, [x], tf.float32)}


def of_a_cluster(self, x):
    with tf.device("/job:worker/task:3"):
        return {"y": x + 1}


def of_a_file(self, x):
    return {"y": x, "z": tf.io.read_file("/etc/hostname")[tf.newaxis]}


def ragged(self, x):
    return {"y": tf.RaggedTensor.from_tensor(x)}


HIDDEN = tf.Variable(3.0)


def untracked(self, x):
    return {"y": x * HIDDEN}


def nothing(self, x):
    """Return nothing."""


NUMBERS = tf.TensorSpec([None, None], tf.float32, "x")


def test_outputs_without_names_are_compared(tmp_path):
    report = cloudserve.export(module([tf.TensorSpec(None, tf.float32, "x")], two), tmp_path)
    assert report.compared == 2
    (signature,) = read_saved_model(report.path).signatures
    assert [spec.alias for spec in signature.outputs] == ["output_0", "output_1"]


def test_inputs_that_the_model_refuses_are_not_compared(tmp_path):
    assert cloudserve.export(module([NUMBERS], inverse), tmp_path).compared == 0


@pytest.mark.parametrize(
    ("spec", "function", "text"),
    [
        (NUMBERS, random_text, "answers differently: y"),
        (NUMBERS, random_size, "answers differently: y"),
        (NUMBERS, of_python, "does not run the op PyFunc"),
        (NUMBERS, of_a_cluster, "a device that no server has"),
        (NUMBERS, of_a_file, "the graph opens the file /etc/hostname"),
        (NUMBERS, ragged, "serving_default: y is made of 2 tensors .sparse or ragged."),
        (NUMBERS, divided, "ZeroDivisionError: division by zero"),
        (NUMBERS, untracked, "a function which references an 'untracked' resource"),
        (NUMBERS, nothing, "Got a non-Tensor value None for key 'output_0'"),
        ({"a": NUMBERS}, one, "takes an argument that is not a tensor"),
        (tf.SparseTensorSpec([None, 3]), one, "takes an argument that is not a tensor"),
    ],
)
def test_a_module_that_cannot_be_served_is_one_error(tmp_path, spec, function, text):
    with pytest.raises(ModelError, match=text):
        cloudserve.export(module([spec], function), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_warnings_of_the_check_are_reported(tmp_path):
    half = tf.TensorSpec([4], tf.float16, "x")
    double = module([half], lambda self, x: {"y": x * 2})
    assert cloudserve.export(double, tmp_path).warnings == (
        "input x is float16, which has no JSON form",
        "output y is float16, which has no JSON form",
        "the first dimension of x is 4: float16[4]; --open-batch opens it",
    )


def test_a_difference_names_the_place_of_the_version(tmp_path):
    with pytest.raises(ModelError) as caught:
        cloudserve.export(module([NUMBERS], random_text), tmp_path)
    assert caught.value.where == str(tmp_path / "1")


def test_no_output_of_a_keras_model_is_lost(tmp_path):
    a, b, dense = layers.Input((2,), name="a"), layers.Input((2,), name="b"), layers.Dense(1)
    twice = cloudserve.export(tf.keras.Model([a, b], [dense(a), dense(b)]), tmp_path / "list")
    named = cloudserve.export(tf.keras.Model([a, b], {"z": a, "y": b}), tmp_path / "names")
    swapped = cloudserve.export(tf.keras.Model({"b": b, "a": a}, {"y": a + 0 * b}), tmp_path / "x")
    outputs = [read_saved_model(each.path).signatures[0].outputs for each in (twice, named)]
    assert [len(each) for each in outputs] == [2, 2]
    values = {"a": Expression("[[1.0, 2.0]]"), "b": Expression("[[3.0, 4.0]]")}
    outputs_by_name = answers(named.path, "serving_default", **values)
    assert outputs_by_name == {"z": [[1.0, 2.0]], "y": [[3.0, 4.0]]}
    assert answers(swapped.path, "serving_default", **values) == [[1.0, 2.0]]


WRONG = {
    "no file": (["absent.keras"], 2, "there is no such file"),
    "no module": (["absent:build"], 2, "there is no module absent"),
    "no function": (["json:absent"], 2, "there is no absent"),
    "no model": (["json:JSONEncoder"], 3, "a JSONEncoder is not a model"),
    "failing": (["failing:build"], 3, "the function failed: KeyError: 'x'"),
    "invalid": (["invalid:build"], 3, "the module cannot be imported: SyntaxError"),
    "damaged": (["damaged.keras"], 3, "does not load the file"),
    "size": (["x.keras", "--image-size", "4"], 2, "`4` is not HEIGHTxWIDTH"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_source_is_one_error(tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.keras").write_bytes(b"PK broken")
    (tmp_path / "failing.py").write_text("def build():\n    return {}['x']\n")
    (tmp_path / "invalid.py").write_text("def")
    (source, *options), code, text = WRONG[name]
    assert text in refusal(capsys, code, source, "models/x", *options)
    assert not (tmp_path / "models").exists()


def test_an_existing_version_is_not_touched(images, tmp_path, capsys):
    (tmp_path / "3").mkdir()
    assert "version 3 exists" in refusal(capsys, 2, images[0], tmp_path, "--version", "3")
    assert list((tmp_path / "3").iterdir()) == []


def test_a_version_that_another_export_wrote_in_the_meantime_is_not_touched(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "late.py").write_text(
        "import pathlib, tensorflow as tf\n"
        "spec = tf.TensorSpec([None], tf.float32, 'x')\n"
        "def build():\n"
        "    pathlib.Path('m/1/other').mkdir(parents=True)\n"
        "    return tf.function(lambda x: {'y': x}, input_signature=[spec])\n"
    )
    assert "error: version 1 exists" in refusal(capsys, 2, "late:build", "m")
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["1"]
    assert [path.name for path in (tmp_path / "m" / "1").iterdir()] == ["other"]


def test_no_version_is_written_into_a_model(images, tmp_path, capsys):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    text = refusal(capsys, 5, images[0], tmp_path / "1")
    assert "the version would be part of the model 1" in text
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["saved_model.pb"]
