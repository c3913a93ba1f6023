"""A load for a prebuilt image restores as TensorFlow Serving does: the restore op, the init op.

Every model is asked through a session, and what its files say without TensorFlow must agree: a
variable that the files call unrestored fails the request, and no other model is called so.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel import read_saved_model
from cloudserve.savedmodel.checks.op_table import read_table

PREBUILT = ServingImage()
X = np.ones((1, 3), np.float32)


@pytest.fixture(scope="module")
def tf():
    import tensorflow as tf

    return tf


def sequential(tf):
    layers = [tf.keras.layers.Dense(2, kernel_initializer="ones"), tf.keras.layers.Dense(1)]
    return tf.keras.Sequential([tf.keras.layers.Input((3,)), *layers])


def keras_saved(tf, path):
    tf.saved_model.save(sequential(tf), path)


def keras_exported(tf, path):
    sequential(tf).export(path, verbose=False)


def module_of_layers(tf, path):
    class Holder(tf.Module):
        def __init__(self):
            self.layers = sequential(tf)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def serve(self, x):
            return {"y": self.layers(x)}

    holder = Holder()
    tf.saved_model.save(holder, path, signatures=holder.serve)


def plain_module(tf, path):
    """A variable, a captured constant, a table that an asset fills, a branch and a loop."""
    vocabulary = Path(path).parent / "words.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("a\nb\n")

    class Plain(tf.Module):
        def __init__(self):
            self.w = tf.Variable(tf.ones((3, 1)))
            self.steps = tf.Variable(2)
            self.scale = tf.constant([2.0])
            words = tf.lookup.TextFileInitializer(
                str(vocabulary), tf.string, 0, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.table = tf.lookup.StaticHashTable(words, -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def serve(self, x):
            for _ in tf.range(self.steps):
                x += 1.0
            y = tf.cond(tf.reduce_sum(x) > 0, lambda: x @ self.w, lambda: x @ -self.w)
            result = tf.cast(self.table.lookup(tf.constant(["b"])), tf.float32)
            return {"y": y * self.scale + result}

    plain = Plain()
    tf.saved_model.save(plain, path, signatures=plain.serve)


def without_variables(tf, path):
    class Line(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def serve(self, x):
            return {"y": 2 * x + 1}

    line = Line()
    tf.saved_model.save(line, path, signatures=line.serve)


def version_one(tf, path, *, forgotten=False):
    """A graph of TensorFlow 1: no object graph; `forgotten` leaves a variable out of the saver."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        # Handles, and references as TensorFlow 1 made them.
        first = v1.get_variable("first", initializer=tf.ones((3, 1)), use_resource=True)
        second = v1.get_variable("second", initializer=tf.ones((1,)), use_resource=False)
        local = v1.get_variable("local", initializer=1.0, collections=["local_variables"])
        y = x @ first + second + local
        session.run([v1.global_variables_initializer(), local.initializer])
        builder = v1.saved_model.Builder(path)
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=local.initializer,
            saver=v1.train.Saver([first] if forgotten else None),
        )
        builder.save()


def version_one_partly(tf, path):
    version_one(tf, path, forgotten=True)


def assigned_by_a_request(tf, path):
    """A variable that no restore op writes, and that a signature assigns before it reads it."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        kept = v1.get_variable("kept", [], use_resource=True)
        other = v1.get_variable("other", initializer=1.0, use_resource=True)
        with tf.control_dependencies([kept.assign(3.0)]):
            y = x * kept.read_value() * other
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(path)
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        saver = v1.train.Saver([other])
        definitions = {"serving_default": signature}
        builder.add_meta_graph_and_variables(session, ["serve"], definitions, saver=saver)
        builder.save()


LAYERS = ("dense/bias", "dense/kernel", "dense_1/bias", "dense_1/kernel")
MODELS = {
    keras_saved: LAYERS,
    module_of_layers: LAYERS,
    version_one_partly: ("second",),
    keras_exported: (),
    plain_module: (),
    without_variables: (),
    version_one: (),
    assigned_by_a_request: (),
}


@pytest.fixture(scope="module")
def saved(tf, tmp_path_factory):
    """Write a model once; give its directory."""
    written = {}

    def write(make):
        if make not in written:
            path = tmp_path_factory.mktemp(make.__name__) / "1"
            tf.keras.backend.clear_session()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TensorFlow's own deprecations
                make(tf, str(path))
            written[make] = path
        return written[make]

    return write


@pytest.fixture(scope="module")
def answer(saved):
    """Ask a model once, loaded for a prebuilt image; give its error, None for an answer."""

    def ask(path):
        model = load_model(path, image=PREBUILT)
        (alias,) = (spec.alias for spec in model.signatures["serving_default"].inputs)
        try:
            model.run("serving_default", {alias: X})
        except StatusError as error:
            return error
        finally:
            model.close()
        return None

    return ask


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_the_files_say_what_a_session_cannot_read(make, saved, answer):
    unrestored = read_saved_model(saved(make)).unrestored
    assert tuple(name.partition("/")[2] or name for name in unrestored) == MODELS[make]
    error = answer(saved(make))
    assert (error is not None) == bool(unrestored)
    if error is not None:
        assert error.code is Code.FAILED_PRECONDITION


@pytest.mark.parametrize("make", [keras_saved, module_of_layers], ids=lambda make: make.__name__)
def test_a_request_fails_in_tensorflow_servings_words(make, saved, answer):
    message = answer(saved(make)).message
    assert message.startswith("Could not find variable sequential/dense")
    assert "This could mean that the variable has been deleted." in message


def test_the_servers_own_loader_answers_with_the_same_files(saved):
    model = load_model(saved(keras_saved))
    assert model.run("serving_default", {"inputs": X})["output_0"].shape == (1, 1)
    model.close()


def test_every_real_model_is_restored_whole(shared_models):
    results = [path.parent for path in shared_models.rglob("saved_model.pb*")]
    whole = [path for path in results if "cassava" not in str(path)]  # its weights are not kept
    assert len(whole) > 10
    assert {str(path): read_saved_model(path).unrestored for path in whole} == dict.fromkeys(
        map(str, whole), ()
    )


def test_the_ops_of_the_installed_tensorflow_are_those_of_the_table(tf):
    from tensorflow.python.framework import op_def_registry

    version = ".".join(tf.__version__.split(".")[:2])
    table = read_table().versions
    assert [op for op in table[version] if op_def_registry.get(op) is None] == []
    # What Python's own test libraries register was in older versions' libraries as well.
    public = {name for name in dir(tf.raw_ops) if name[:1].isupper()}
    assert public - set().union(*table.values()) == set()


@pytest.mark.parametrize(
    ("version", "op"), [("2.9", "DisableCopyOnRead"), ("2.21", ""), ("", ""), ("99.0", "")]
)
def test_an_op_that_the_image_does_not_have_fails_the_load(version, op, saved):
    """Keras' exports read variables in the function that saves with an op of TensorFlow 2.10."""
    if not op:
        load_model(saved(keras_exported), image=ServingImage(version)).close()
        return
    with pytest.raises(LoadError, match=f"^Op type not registered '{op}' in binary running on"):
        load_model(saved(keras_exported), image=ServingImage(version))
