"""Models that several folders of tests share."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def keras_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Keras 3 model of `tf.saved_model.save`, which TensorFlow Serving does not restore."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("keras_saved") / "1"
    tf.keras.backend.clear_session()
    layers = [tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2, kernel_initializer="ones")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf.saved_model.save(tf.keras.Sequential(layers), str(path))
    return path
