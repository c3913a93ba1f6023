"""Keras files with code, files of Keras 2, and Keras models inside of others."""

from __future__ import annotations

import importlib.util
import json
import shlex
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

import cloudserve
from cloudserve.cli.errors import run
from cloudserve.errors import ModelError
from cloudserve.savedmodel import read_saved_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
layers = tf.keras.layers
OWN_LAYERS = """
import tensorflow as tf

@tf.keras.utils.register_keras_serializable("own")
class Double(tf.keras.layers.Layer):
    def call(self, x):
        return x * 2

class Plain(tf.keras.layers.Layer):
    def call(self, x):
        return x * 3
"""


def tensorflow_1(folder, x):
    """Return the only output as TensorFlow 1 restores and runs a version."""
    (signature,) = read_saved_model(folder).signatures
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        return session.run(signature.outputs[0].tensor_name, {signature.inputs[0].tensor_name: x})


@pytest.mark.parametrize("suffix", ["keras", pytest.param("h5", marks=pytest.mark.slow)])
def test_code_in_a_file_is_run_on_demand_alone(tmp_path, suffix):
    path = tmp_path / f"lambda.{suffix}"
    tf.keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x * 2)]).save(path)
    with pytest.raises(ModelError, match="the file has a Lambda layer, whose code would be run"):
        cloudserve.export(path, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    report = cloudserve.export(path, tmp_path / "m", trusted=True)
    assert tensorflow_1(report.path, [[1, 2, 3]]).tolist() == [[2, 4, 6]]


def keras_2_file(path, config):
    with h5py.File(path, "w") as file:
        file.attrs.update(keras_version="2.15.0", model_config=config)
    return path


def test_code_is_found_however_json_writes_its_name(tmp_path):
    path = keras_2_file(tmp_path / "m.h5", r'{"layers": [{"class_name": "\u004cambda"}]}')
    with pytest.raises(ModelError, match="the file has a Lambda layer"):
        cloudserve.export(path, tmp_path / "m")


def test_code_is_found_in_a_file_with_an_archive_behind_it(tmp_path):
    path = keras_2_file(tmp_path / "m.h5", '{"layers": [{"class_name": "Lambda"}]}')
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("metadata.json", '{"keras_version": "2.15.0"}')
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match="the file has a Lambda layer"):
        cloudserve.export(path, tmp_path / "m")


def save_with_own_layers(folder):
    """Write a file of classes that no module of this process has afterwards."""
    (folder / "own_layers.py").write_text(OWN_LAYERS)
    spec = importlib.util.spec_from_file_location("own_layers", folder / "own_layers.py")
    own_layers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own_layers)
    model = [layers.Input((2,)), own_layers.Double(), own_layers.Plain()]
    tf.keras.Sequential(model).save(folder / "own.keras")
    del tf.keras.utils.get_custom_objects()["own>Double"]


def test_layers_of_the_user_come_from_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_with_own_layers(tmp_path)
    with pytest.raises(ModelError) as caught:
        cloudserve.export("own.keras", "m")
    assert "--custom-objects MODULE" in caught.value.hint
    report = cloudserve.export("own.keras", "m", custom_objects="own_layers")
    assert tensorflow_1(report.path, [[1, 2]]).tolist() == [[6, 12]]


def test_a_keras_model_in_a_module_is_restored(tmp_path):
    class Scaled(tf.Module):
        def __init__(self):
            super().__init__()
            self.model = tf.keras.Sequential([layers.Input((3,)), layers.Dense(2)])

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.uint8, "pixels")])
        def __call__(self, pixels):
            return {"y": self.model(tf.cast(pixels, tf.float32) / 255)}

    scaled = Scaled()
    report = cloudserve.export(scaled, tmp_path)
    assert not read_saved_model(report.path).unrestored
    pixels = np.array([[1, 2, 3]], np.uint8)
    expected = scaled(pixels)["y"].numpy()
    assert np.allclose(tensorflow_1(report.path, pixels), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["x", "x"], "`x` of the signature serving_default is the name of two inputs"),
        (["a b", "y"], "`a b` of the signature serving_default is not a name"),
        (["class", "y"], "`class` of the signature serving_default is not a name"),
    ],
)
def test_a_name_that_no_request_could_use_is_one_error(tmp_path, names, text):
    specs = [tf.TensorSpec([None], tf.float32, name) for name in names]
    function = tf.function(lambda a, b: {"z": a - b}, input_signature=specs)
    with pytest.raises(ModelError, match=text):
        cloudserve.export(function, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["cats.keras", "cats.h5"])
def test_the_line_that_inspect_shows_exports_the_file(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    tf.keras.Sequential([layers.Input((3,)), layers.Dense(2)]).save(name)
    assert run(["inspect", name]) == 3
    line = capsys.readouterr().err.partition("export it: cloudserve ")[2]
    assert run([*shlex.split(line), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "models/cats/1"


KERAS_2 = """
import cloudserve, tf_keras
layers = tf_keras.layers
x = layers.Input((5, 3), name="x")
model = tf_keras.Model(x, {"y": layers.Dense(2)(layers.LSTM(4)(x)), "x": x})
words = layers.Input((1,), dtype="string", name="words")
numbers = layers.StringLookup(vocabulary=["cat", "dog"])(words)
text = tf_keras.Model(words, layers.Embedding(4, 2, name="row")(numbers))
sequence = tf_keras.Sequential([layers.Input((3,)), layers.Dense(2), layers.BatchNormalization()])
for name, one in {"model": model, "text": text, "sequence": sequence}.items():
    one.save(f"{name}.keras")
    for source in (one, f"{name}.keras"):
        report = cloudserve.export(source, name)
        assert report.compared == 2 and report.ulp < 8, report
"""


@pytest.mark.slow
@pytest.mark.parametrize("legacy", ["0", "1"])
def test_models_of_keras_2_are_exported(tmp_path, monkeypatch, legacy):
    pytest.importorskip("tf_keras", reason="tf-keras is not installed")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", legacy)
    subprocess.run([sys.executable, "-c", KERAS_2], check=True, cwd=tmp_path)
    assert sorted(one.name for one in (tmp_path / "text").iterdir()) == ["1", "2"]
