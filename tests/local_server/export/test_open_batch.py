"""`cloudserve export --open-batch`: a fixed batch becomes any number of rows, or is refused."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
import tensorflow as tf

import cloudserve
from cloudserve import ImageInput, TensorNames
from cloudserve.check.check import check_model
from cloudserve.cli.errors import run
from cloudserve.errors import ModelError
from cloudserve.local.model_run import ArrayFile, RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model, read_tree

# Keras calls numpy in the way of its first version.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v1 = tf.compat.v1
layers = tf.keras.layers
RANDOM = np.random.default_rng(3)
X = RANDOM.random((5, 3), np.float32)
WEIGHT = RANDOM.random((3, 2), np.float32)


class Line(tf.Module):
    """A variable, and a function of four rows."""

    def __init__(self):
        self.weight = tf.Variable(WEIGHT)

    @tf.function(input_signature=[tf.TensorSpec([4, 3], tf.float32, "x")])
    def __call__(self, x):
        if tf.reduce_sum(x) < 0:  # AutoGraph makes a branch of it
            x = x * 1
        return {"y": self.scores(x), "x": x}

    @tf.function
    def scores(self, x):
        return tf.nn.softmax(x @ self.weight)


def answer(folder, tmp_path, x=X, signature="serving_default", alias="y"):
    np.save(tmp_path / "x.npy", x)
    request = RunRequest(signature, {"x": ArrayFile(tmp_path / "x.npy")})
    outputs = json.loads(local_server().run_once(folder, request).answer)["outputs"]
    return np.array(outputs[alias] if isinstance(outputs, dict) else outputs)


def softmax(x):
    return tf.nn.softmax(x @ WEIGHT).numpy()


def assert_open(report, tmp_path, compared=3):
    assert (report.compared, report.warnings) == (compared, ())
    (signature,) = read_saved_model(report.path).signatures
    assert {spec.shape[0] for spec in (*signature.inputs, *signature.outputs)} == {None}
    np.testing.assert_allclose(answer(report.path, tmp_path), softmax(X), rtol=1e-5)


def frozen(path, batch, build, shape=(3,)):
    """Write a frozen graph from `x` of a fixed batch to `y`."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [batch, *shape], "x")
        tf.identity(build(x), "y")
        graph_def = graph.as_graph_def(add_shapes=True)
    path.write_bytes(graph_def.SerializeToString())
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Give a SavedModel of TensorFlow 2 that takes four rows."""
    path = tmp_path_factory.mktemp("saved") / "1"
    line = Line()
    tf.saved_model.save(line, str(path), signatures={"serving_default": line.__call__})
    return path


def test_a_function_is_traced_again(tmp_path):
    assert_open(cloudserve.export(Line(), tmp_path, open_batch=True), tmp_path)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_frozen_graph_takes_any_number_of_rows(tmp_path, capsys, batch):
    path = frozen(tmp_path / "f.pb", batch, lambda x: tf.nn.softmax(x @ WEIGHT))
    assert run(["export", str(path), str(tmp_path / "m")]) == 0
    warning = f"the first dimension of x is {batch}: float32[{batch},3]; --open-batch opens it"
    assert warning in " ".join(capsys.readouterr().out.split())
    assert_open(cloudserve.export(path, tmp_path / "m", open_batch=True), tmp_path)


def test_a_saved_model_is_copied_with_open_signatures(saved, tmp_path):
    before = read_tree(saved)
    report = cloudserve.export(saved, tmp_path / "m", open_batch=True)
    assert_open(report, tmp_path)
    assert read_tree(saved) == before
    loaded = tf.saved_model.load(str(report.path)).signatures["serving_default"]
    np.testing.assert_allclose(loaded(x=tf.constant(X))["y"], softmax(X), rtol=1e-5)


def test_a_graph_behind_images_is_opened(tmp_path):
    weight = RANDOM.random((48, 2), np.float32)
    path = frozen(tmp_path / "f.pb", 1, lambda x: tf.reshape(x, [-1, 48]) @ weight, shape=(4, 4, 3))
    report = cloudserve.export(path, tmp_path / "m", open_batch=True, image=ImageInput())
    assert (report.compared, report.signatures) == (5, ("image_bytes", "serving_default"))
    x = RANDOM.random((5, 4, 4, 3), np.float32)
    expected = x.reshape(5, 48) @ weight
    np.testing.assert_allclose(answer(report.path, tmp_path, x), expected, rtol=1e-4)


def test_a_signature_without_a_fixed_batch_stays_as_it_is(tmp_path):
    path = frozen(tmp_path / "f.pb", None, lambda x: x * 2)
    assert cloudserve.export(path, tmp_path / "m", open_batch=True).compared == 2


@pytest.mark.parametrize("is_called", [True, False], ids=["called once", "batch_shape"])
def test_a_keras_model_is_traced_again(tmp_path, is_called):
    dense = layers.Dense(2, "softmax", use_bias=False, name="y")
    if is_called:
        model = tf.keras.Sequential([dense])
        model(X[:4])
        assert model.inputs[0].shape == (4, 3)
        model.inputs[0].name = "x"
    else:
        x = tf.keras.Input(batch_shape=(4, 3), name="x")
        model = tf.keras.Model(x, dense(x))
    dense.set_weights([WEIGHT])
    assert_open(cloudserve.export(model, tmp_path, open_batch=True), tmp_path)


@pytest.mark.slow
def test_a_keras_model_without_restored_variables_is_opened(tmp_path):
    x = tf.keras.Input(batch_shape=(4, 3), name="x")
    model = tf.keras.Model(x, {"y": layers.Dense(2, "softmax", use_bias=False)(x)})
    model.layers[-1].set_weights([WEIGHT])
    tf.saved_model.save(model, str(tmp_path / "saved"))
    assert read_saved_model(tmp_path / "saved").unrestored
    report = cloudserve.export(tmp_path / "saved", tmp_path / "m", open_batch=True)
    (spec,) = read_saved_model(report.path).signatures[0].inputs
    assert spec.shape == (None, 3)
    assert report.compared == 3


def over_rows(x):
    """Return the double of each row, of which a loop over four rows makes a list."""
    return tf.map_fn(lambda row: row * 2, x)


def with_state(x):
    return x + tf.tile(tf.ones([1, 3]), [4, 1])


BAKED = {
    "shape": (4, lambda x: tf.reshape(x, [4, 3, 1]), "the node Reshape (Reshape) has it"),
    "one row": (1, lambda x: tf.reshape(x, [1, -1]), "the node Reshape (Reshape) has it"),
    "size": (4, lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 1]), "the node Reshape (Reshape) has"),
    "loop": (4, over_rows, "(TensorListReserve) has it in a constant"),
    "tile": (4, with_state, "the node Tile (Tile) has it in a constant"),
    "rows": (4, lambda x: tf.stack(tf.unstack(x)), "in unstack"),
    "slice": (32, lambda x: x[:32], "the exported version answers differently: y"),
    "mean": (4, lambda x: x - tf.reduce_mean(x, 0), "the exported version answers differently: y"),
    "sum": (4, tf.reduce_sum, "its output y has a single value"),
    "table": (4, lambda x: tf.linalg.inv(x @ np.zeros((3, 4), np.float32)), "made-up inputs"),
}


@pytest.mark.parametrize(("batch", "build", "text"), BAKED.values(), ids=BAKED)
def test_a_graph_that_has_the_batch_in_it_is_refused(tmp_path, capsys, batch, build, text):
    path = frozen(tmp_path / "f.pb", batch, build)
    assert run(["export", str(path), str(tmp_path / "m"), "--open-batch"]) == 3
    _, error = capsys.readouterr().err.split("error: ")
    line = " ".join(error.split())
    assert f"the batch of {batch} of serving_default cannot be opened: " in line
    assert text in line
    assert not (tmp_path / "m").exists()


def test_code_that_needs_the_size_is_one_error(tmp_path):
    spec = [tf.TensorSpec([4, 3], name="x")]
    rows = tf.function(lambda x: {"y": tf.stack(tf.unstack(x))}, input_signature=spec)
    with pytest.raises(ModelError, match="with an open batch: ValueError: Cannot infer argument"):
        cloudserve.export(rows, tmp_path / "m", open_batch=True)
    assert not (tmp_path / "m").exists()


def test_a_loop_in_a_function_is_named(tmp_path):
    rows = tf.function(lambda x: {"y": over_rows(x)}, input_signature=[tf.TensorSpec([4, 3])])
    module = tf.Module()
    path = tmp_path / "saved"
    tf.saved_model.save(module, str(path), signatures={"serving_default": rows})
    with pytest.raises(ModelError, match=r"\(TensorListReserve\) has it in a constant"):
        cloudserve.export(path, tmp_path / "m", open_batch=True)
    assert not (tmp_path / "m").exists()


def test_an_input_that_the_graph_computes_is_refused(saved, tmp_path):
    names = TensorNames({"x": "StatefulPartitionedCall:0"}, {"y": "StatefulPartitionedCall:0"})
    with pytest.raises(ModelError, match=r"StatefulPartitionedCall \(\w+\) computes it"):
        cloudserve.export(saved, tmp_path / "m", tensors={"late": names}, open_batch=True)


def test_inputs_of_different_sizes_have_no_batch(tmp_path):
    specs = [tf.TensorSpec([4, 3], name="x"), tf.TensorSpec([3], name="weight")]
    function = tf.function(lambda x, weight: {"y": x * weight}, input_signature=specs)
    with pytest.raises(ModelError, match=r"the first dimensions differ \(x has 4, weight has 3\)"):
        cloudserve.export(function, tmp_path / "m", open_batch=True)


def test_a_traced_function_is_refused(saved, tmp_path):
    line = Line()
    concrete = line.__call__.get_concrete_function()
    for source, names in ((concrete, {}), (saved, {"again": "__call__"})):
        with pytest.raises(ModelError, match="the function is traced"):
            cloudserve.export(source, tmp_path / "m", names=names, open_batch=True)
    assert not (tmp_path / "m").exists()


def test_the_line_that_check_shows_opens_the_model(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (found,) = check_model(saved, 1, saved, ("serve",)).findings
    line = found.hint.partition("open this one: cloudserve ")[2]
    assert run(shlex.split(line)) == 0
    assert "wrote models/NAME/1: 1 signature" in capsys.readouterr().out
