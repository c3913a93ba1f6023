"""The models of the benchmarks, written by TensorFlow, and a row for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cloudserve.local_server.runtime.tensorflow import import_tensorflow

LAYERS = (784, 512, 512, 10)
IMAGE = (96, 96, 3)


def build_tiny(path: Path) -> None:
    """Save x/2+2 as a TF 1 SavedModel."""
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None,), "x")
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": x * 0.5 + 2.0})


def build_mlp(path: Path) -> None:
    """Save an MLP with random weights as a TF 1 SavedModel."""
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = y = tf.compat.v1.placeholder(tf.float32, (None, LAYERS[0]), "x")
        for index, width in enumerate(LAYERS[1:]):
            weights = tf.compat.v1.get_variable(f"w{index}", (y.shape[1], width))
            y = tf.matmul(y, weights)
            y = tf.nn.relu(y) if index < len(LAYERS) - 2 else tf.nn.softmax(y)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": y})


def build_cnn(path: Path) -> None:
    """Save a small MobileNetV2 as `tf.saved_model.save` does."""
    tf = import_tensorflow()
    model = tf.keras.applications.MobileNetV2(IMAGE, alpha=0.35, weights=None)
    tf.saved_model.save(model, str(path))


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model, and the shape of one of its rows."""

    title: str
    build: Callable[[Path], None]
    row: tuple[int, ...]

    def rows(self, count: int) -> np.ndarray:
        """Return random rows, of four decimals as JSON texts of measurements have."""
        values = np.random.default_rng(0).random((count, *self.row))
        return np.round(values, 4).astype(np.float32)


MODELS = {
    "tiny": ServedModel("x/2+2", build_tiny, ()),
    "mlp": ServedModel("MLP 784-512-512-10", build_mlp, (LAYERS[0],)),
    "cnn": ServedModel("Keras CNN, MobileNetV2 96x96", build_cnn, IMAGE),
}
