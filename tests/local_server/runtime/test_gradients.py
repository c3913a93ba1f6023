"""Gradients of a SavedModel that TensorFlow wrote."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cloudserve.local_server.runtime.gradients import load_gradients
from cloudserve.local_server.status import Code, StatusError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Give a model of three inputs: y = [x0 * x1 + 2 k, round(x0)], and z, which is not used."""
    import tensorflow as tf

    class Products(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 2], tf.float32, name="x"),
                tf.TensorSpec([None], tf.float32, name="k"),
                tf.TensorSpec([None], tf.float32, name="z"),
            ]
        )
        def run(self, x, k, z):
            return {"y": tf.stack([x[:, 0] * x[:, 1] + 2 * k, tf.round(x[:, 0])], axis=1)}

        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, name="x")])
        def one(self, x):
            return {"y": x + 1}

    folder, module = tmp_path_factory.mktemp("products"), Products()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signatures = {"serving_default": module.run, "one": module.one}
        tf.saved_model.save(module, str(folder), signatures=signatures)
        return load_gradients(folder)


ROWS = {
    "x": np.array([[1, 2], [3, 4]], np.float32),
    "k": np.array([1, 1], np.float32),
    "z": np.array([5, 5], np.float32),
}


def test_each_row_has_its_own_gradients(model):
    found = model.gradients("serving_default", ROWS, ("x", "k", "z"), ("y", (0,)))
    assert found["x"].tolist() == [[2, 1], [4, 3]]
    assert found["k"].tolist() == [2, 2]
    assert found["z"].tolist() == [0, 0]


def test_an_output_without_gradients_has_none(model):
    found = model.gradients("serving_default", ROWS, ("x",), ("y", (1,)))
    assert found["x"].tolist() == [[0, 0], [0, 0]]


def test_the_inputs_are_known_with_their_dtypes(model):
    assert set(model.dtypes("serving_default").values()) == {np.dtype(np.float32)}
    with pytest.raises(StatusError, match="no signature `other`") as caught:
        model.dtypes("other")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_shapes_that_the_graph_refuses_are_the_callers_mistake(model):
    wrong = ROWS | {"k": np.zeros(3, np.float32)}
    with pytest.raises(StatusError, match=r"^Incompatible shapes: [^\n]*$"):
        model.gradients("serving_default", wrong, ("x",), ("y", (0,)))


def test_a_signature_of_one_row_is_differentiated_at_one_point_only(model):
    rows = np.array([1, 2], np.float32)
    assert model.gradients("one", {"x": rows[:1]}, ("x",), ("y", ()))["x"].tolist() == [1]
    with pytest.raises(StatusError, match="at 2 points together") as caught:
        model.gradients("one", {"x": rows}, ("x",), ("y", ()))
    assert caught.value.code is Code.FAILED_PRECONDITION
