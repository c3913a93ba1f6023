"""Two models of handwritten digits, exported as SavedModels.

Version 1 is a softmax regression, version 2 a small multi-layer perceptron. Both have one
signature: `pixels` float32 (n, 784) in 0..255 -> `probabilities` float32 (n, 10).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from digits import Digits
from numpy.typing import NDArray
from quiet import tf

PIXELS, CLASSES = 784, 10
BATCH = 50


class Network(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """Dense layers with ReLU in between; without hidden layers, a softmax regression."""

    def __init__(self, hidden: tuple[int, ...], seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        sizes = (PIXELS, *hidden, CLASSES)
        scale = 0.0 if not hidden else 1.0
        self.layers = [
            (
                tf.Variable(rng.normal(0, scale * (2 / a) ** 0.5, (a, b)).astype(np.float32)),
                tf.Variable(np.zeros(b, np.float32)),
            )
            for a, b in itertools.pairwise(sizes)
        ]

    def logits(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return the unnormalised scores, float32 (n, 10)."""
        values = pixels / 255.0
        for index, (weights, bias) in enumerate(self.layers):
            values = (tf.nn.relu(values) if index else values) @ weights + bias
        return values

    @tf.function(input_signature=[tf.TensorSpec((None, PIXELS), tf.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def predict(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return each digit's probabilities."""
        return {"probabilities": tf.nn.softmax(self.logits(pixels))}


def train(network: Network, digits: Digits, *, steps: int, rate: float, seed: int) -> None:
    """Run stochastic gradient descent on random batches of 50 digits."""
    rng = np.random.default_rng(seed)

    @tf.function  # type: ignore[untyped-decorator]
    def step(pixels: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network.logits(pixels))
            loss = tf.reduce_mean(losses)
        variables = network.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)

    for _ in range(steps):
        batch = rng.integers(0, len(digits.labels), BATCH)
        step(tf.constant(digits.pixels[batch]), tf.constant(digits.labels[batch]))


def export(network: Network, path: Path) -> None:
    """Write a SavedModel whose default signature is `Network.predict`."""
    signatures = {"serving_default": network.predict.get_concrete_function()}
    tf.saved_model.save(network, str(path), signatures=signatures)


def labels_in_process(network: Network, digits: Digits) -> NDArray[np.int64]:
    """Return the digits that the model recognises, computed in this process, int64 (n,)."""
    scores = network.predict(tf.constant(digits.pixels))["probabilities"].numpy()
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def softmax_regression(digits: Digits) -> Network:
    """Train version 1."""
    network = Network(hidden=(), seed=1)
    train(network, digits, steps=1000, rate=0.5, seed=1)
    return network


def perceptron(digits: Digits) -> Network:
    """Train version 2."""
    network = Network(hidden=(256,), seed=2)
    train(network, digits, steps=3000, rate=0.2, seed=2)
    return network
