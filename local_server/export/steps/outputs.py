"""Steps behind a model: its output becomes what a client wants to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cloudserve.local.model_steps import ArgMax, OutputStep, Sigmoid, Softmax, TopK

from ...runtime.types import Tensor
from ..signatures.words import read_words
from .last_op import last_op
from .stage import Stage, describe, refuse

CLASSES = "_classes"
_SCORES_RANK = 2


def finish(tf: Any, name: str, tensor: Any, steps: Sequence[OutputStep]) -> tuple[Stage, ...]:
    """Return the stages of an output, which a traced tensor is.

    A stage returns the output, or a dictionary of it by "" and of another one by the end of its
    name. Raises UserError for a step that the dtype, the shape or the last op does not allow.
    """
    for step in steps[:-1]:
        if isinstance(step, ArgMax | TopK):
            refuse(
                f"a step follows the classes of {name}",
                "put argmax or top_k at the end",
            )
    made_by = last_op(tensor)
    stages = []
    for step in steps:
        stages.append(_fit(tf, name, tensor, step, made_by))
        made_by = type(step).__name__
    return tuple(stages)


def _fit(tf: Any, name: str, tensor: Any, step: OutputStep, made_by: str) -> Stage:
    if not tensor.dtype.is_floating:
        refuse(f"{name} is {describe(tensor)}, not scores", "leave the step out")
    match step:
        case Softmax():
            _check_logits(name, made_by, "softmax")
            _check_classes(name, tensor, "softmax")
            return Stage(tf.nn.softmax, _softmax)
        case Sigmoid():
            _check_logits(name, made_by, "sigmoid")
            return Stage(tf.sigmoid, _sigmoid)
        case ArgMax(labels):
            words = _labels(name, _check_classes(name, tensor, "argmax"), read_words(labels))
            return _arg_max(tf, words)
        case TopK(k, labels):
            count = _check_classes(name, tensor, "top_k")
            if count is not None and k > count:
                refuse(f"{name} is {describe(tensor)}, less than {k} scores", "give a smaller K")
            return _top_k(tf, k, _labels(name, count, read_words(labels)))


def _check_logits(name: str, made_by: str, step: str) -> None:
    if made_by in {"Softmax", "Sigmoid"}:
        refuse(
            f"{name} is the result of {made_by}: with {step} the probabilities would be wrong",
            f"leave {step} out: the model answers probabilities",
        )


def _check_classes(name: str, tensor: Any, step: str) -> int | None:
    """Return how many classes there are, None if that is open."""
    rank = tensor.shape.rank
    if rank is None or rank < _SCORES_RANK or tensor.shape[-1] == 1:
        refuse(
            f"{name} is {describe(tensor)}, and {step} needs a score for each of several classes",
            "use sigmoid for one score; name an output of the shape [batch, classes]",
        )
    count: int | None = tensor.shape[-1]
    return count


def _labels(name: str, count: int | None, words: list[str]) -> list[str]:
    if words and len(words) != count:
        scores = "an unknown number of" if count is None else str(count)
        refuse(
            f"there are {len(words)} labels and {scores} scores in {name}",
            "give a file with a line for each score, in their order",
        )
    return words


def _arg_max(tf: Any, words: list[str]) -> Stage:
    name, in_graph, in_numpy = "", partial(_named, tf, words), partial(_named_by_numpy, words)
    return Stage(
        lambda x: {name: in_graph(tf.argmax(x, -1))},
        lambda x: {name: in_numpy(np.argmax(x, -1))},
    )


def _top_k(tf: Any, k: int, words: list[str]) -> Stage:
    def in_graph(scores: Any) -> Mapping[str, Any]:
        values, classes = tf.math.top_k(scores, k)
        return {"": values, CLASSES: _named(tf, words, classes)}

    def in_numpy(scores: Tensor) -> Mapping[str, Tensor]:
        # The class with the lower number is first if both have the same score, as in TensorFlow.
        classes = np.argsort(-scores, -1, kind="stable")[..., :k].astype(np.int32)
        values = np.take_along_axis(scores, classes, -1)
        return {"": values, CLASSES: _named_by_numpy(words, classes)}

    return Stage(in_graph, in_numpy)


def _named(tf: Any, words: list[str], classes: Any) -> Any:
    return tf.gather(tf.constant(words), classes) if words else classes


def _named_by_numpy(words: list[str], classes: Tensor) -> Tensor:
    return np.array([word.encode() for word in words], object)[classes] if words else classes


def _softmax(scores: Tensor) -> Tensor:
    powers: Tensor = np.exp(scores - np.max(scores, -1, keepdims=True))
    return np.asarray(powers / np.sum(powers, -1, keepdims=True))


def _sigmoid(scores: Tensor) -> Tensor:
    # Powers of negative numbers alone: others overflow.
    powers = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1 / (1 + powers), powers / (1 + powers)).astype(scores.dtype)
