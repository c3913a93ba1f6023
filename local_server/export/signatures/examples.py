"""Signatures of serialized `tf.Example`s: predict, classify and regress.

The aliases and dtypes are those that TensorFlow Serving's classifier and regressor ask for
(tensorflow_serving/servables/tensorflow/{classifier,regressor}.cc): `inputs`, `classes`, `scores`,
`outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.local.model_export import ExamplesInput
from cloudserve.savedmodel.signature import CLASSIFY_METHOD, REGRESS_METHOD

from ..served import Served, named
from .features import Feature, of_inputs, read_features, sample
from .words import read_words

_MATRIX = 2


def of_examples(tf: Any, served: Served, examples: ExamplesInput) -> dict[str, Served]:
    """Return the signatures that are asked for in front of one of a model.

    Raises UserError for inputs that no feature holds, and for unknown outputs.
    """
    features = (
        of_inputs(served.specs)
        if examples.features is None
        else read_features(examples.features, served.specs)
    )
    words = read_words(examples.classes)
    parse = partial(_parse, tf, features, served)
    make_up = partial(sample, features)

    def answers(texts: Any) -> Mapping[str, Any]:
        return named(tf, served.function(*parse(texts)))

    def classify(inputs: Any) -> Mapping[str, Any]:
        scores = _matrix(tf, _output(answers(inputs), examples.scores))
        return {"scores": scores, **_classes(tf, words, scores)}

    def regress(inputs: Any) -> Mapping[str, Any]:
        return {"outputs": _column(tf, _output(answers(inputs), examples.values))}

    specs = (tf.TensorSpec([None], tf.string, "inputs"),)
    signatures = {}
    if examples.predict:
        own = (tf.TensorSpec([None], tf.string, "examples"),)
        signatures["examples"] = Served(answers, own, samples={"examples": make_up})
    if examples.scores:
        signatures["classification"] = Served(
            classify, specs, CLASSIFY_METHOD, samples={"inputs": make_up}
        )
    if examples.values:
        signatures["regression"] = Served(
            regress, specs, REGRESS_METHOD, samples={"inputs": make_up}
        )
    return signatures


def _parse(tf: Any, features: Mapping[str, Feature], served: Served, examples: Any) -> list[Any]:
    spec = {name: _parser(tf, feature) for name, feature in features.items()}
    tensors = tf.io.parse_example(examples, spec)
    return [tf.cast(tensors[one.name], one.dtype) for one in served.specs]


def _parser(tf: Any, feature: Feature) -> Any:
    dtype, shape = tf.as_dtype(feature.dtype), list(feature.shape)
    if shape and shape[0] is None:
        return tf.io.FixedLenSequenceFeature(
            shape[1:], dtype, allow_missing=True, default_value=feature.default
        )
    return tf.io.FixedLenFeature(shape, dtype, feature.default)


def _output(outputs: Mapping[str, Any], name: str) -> Any:
    if name not in outputs:
        raise UserError(f"the model has no output {name}", hint=choose_from(outputs))
    return outputs[name]


def _matrix(tf: Any, scores: Any) -> Any:
    """Return scores as float32[batch, classes]."""
    if scores.shape.rank == 1:
        scores = scores[:, tf.newaxis]
    if scores.shape.rank not in {None, _MATRIX} or not scores.dtype.is_floating:
        raise UserError(
            f"the scores are {scores.dtype.name}{scores.shape}, not a number for each class",
            hint="name an output of the shape [batch, classes] with --classify",
        )
    return tf.cast(scores, tf.float32)


def _classes(tf: Any, words: list[str], scores: Any) -> dict[str, Any]:
    if not words:
        return {}
    count = scores.shape[-1]
    if count is not None and count != len(words):
        raise UserError(
            f"there are {len(words)} classes and {count} scores",
            hint="give a --classes file with a line for each score, in their order",
        )
    return {"classes": tf.tile(tf.constant([words]), [tf.shape(scores)[0], 1])}


def _column(tf: Any, values: Any) -> Any:
    """Return values as float32[batch]."""
    if values.shape.rank == _MATRIX and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape.rank != 1 or not values.dtype.is_floating:
        raise UserError(
            f"the output is {values.dtype.name}{values.shape}, not a number for each Example",
            hint="name an output of the shape [batch, 1] with --regress",
        )
    return tf.cast(values, tf.float32)
