"""Models of every kind that `cloudserve export` takes, with their own answers.

Each function trains or writes a source in a folder, exports it, and returns what to ask the server
for, beside the answers of the source itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import cloudserve
from cloudserve import ExamplesInput, ImageInput
from cloudserve.cli.errors import run
from tests.local_server.export.clients import example
from tests.local_server.export.graphs import train

v1 = tf.compat.v1
layers = tf.keras.layers
RANDOM = np.random.default_rng(7)


@dataclass(frozen=True)
class Predict:
    """A request with arrays by alias, and its answer by alias."""

    feeds: dict
    answer: dict
    signature: str = "serving_default"


@dataclass(frozen=True)
class Classify:
    """Examples, and for each the pairs of label and score."""

    examples: list
    answer: list
    signature: str = "classification"


@dataclass(frozen=True)
class Regress:
    """Examples, and a value for each."""

    examples: list
    answer: list
    signature: str = "regression"


class Unit(tf.Module):
    """A weight, a table of words with a file, and two functions."""

    def __init__(self, words):
        super().__init__()
        self.weight = tf.Variable([[2.0], [-0.5]])
        keys = tf.lookup.TextFileInitializer(
            words,
            *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
            *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
        )
        self.table = tf.lookup.StaticHashTable(keys, -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def score(self, x):
        return {"score": tf.tanh(x @ self.weight), "half": x / 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def number(self, word):
        return {"number": self.table.lookup(word), "upper": tf.strings.upper(word)}


X = RANDOM.normal(size=(3, 2)).astype(np.float32)
WORDS = np.array([b"cat", b"dog", b"caf\xc3\xa9"], object)


def unit(folder):
    (folder / "words.txt").write_text("cat\ncafé\n")
    return Unit(str(folder / "words.txt"))


def of_unit(model, score="score", number="number"):
    answers = [model.score(X), model.number(tf.constant(WORDS))]
    score_answer, number_answer = ({k: v.numpy() for k, v in one.items()} for one in answers)
    return [
        Predict({"x": X}, score_answer, score),
        Predict({"word": WORDS}, number_answer, number),
    ]


def export(*args):
    assert run(["export", *map(str, args)]) == 0


def numpy(outputs):
    return {name: one.numpy() for name, one in outputs.items()}


def pictures():
    """Return a Keras model of 4x4 pictures with a probability for each of three classes."""
    pixels = layers.Input((4, 4, 3), name="pixels")
    scores = layers.Dense(3, "softmax", name="scores")(layers.Flatten()(pixels))
    value = layers.Dense(1, name="value")(layers.Flatten()(pixels))
    return tf.keras.Model(pixels, {"scores": scores, "value": value})


def keras(folder, base):
    """A .keras file: raw, encoded images, Examples, classes and values."""
    model = pictures()
    model.save(folder / "cats.keras")
    (folder / "classes.txt").write_text("cat\ndog\nfish\n")
    flags = ["--image-bytes", "--examples", "--classify", "scores", "--regress", "value"]
    export(folder / "cats.keras", base, *flags, "--classes", folder / "classes.txt")
    pixels = RANDOM.random((2, 4, 4, 3), np.float32)
    images = RANDOM.integers(0, 256, (2, 9, 7, 3), np.uint8)
    files = np.array([tf.io.encode_png(one).numpy() for one in images], object)
    resized = tf.image.resize(images, [4, 4]) / 255.0
    examples = [{"pixels": one.ravel().tolist()} for one in pixels]
    serialized = np.array([example(one).SerializeToString() for one in examples], object)
    answer = numpy(model(pixels))
    labels = ["cat", "dog", "fish"]
    classes = [list(zip(labels, row, strict=True)) for row in answer["scores"].tolist()]
    return [
        Predict({"pixels": pixels}, answer),
        Predict({"image_bytes": files}, numpy(model(resized)), "image_bytes"),
        Predict({"examples": serialized}, answer, "examples"),
        Classify(examples, classes),
        Regress(examples, answer["value"].ravel().tolist()),
    ]


def h5(folder, base):
    """An .h5 file of two inputs and two outputs."""
    a, b = layers.Input((2,), name="a"), layers.Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    model = tf.keras.Model([a, b], [layers.Dense(2, name="p")(joined), layers.ReLU(name="q")(a)])
    model.save(folder / "m.h5")
    export(folder / "m.h5", base)
    feeds = {"a": X, "b": RANDOM.random((3, 3), np.float32)}
    answer = model(list(feeds.values()))
    return [Predict(feeds, dict(zip(("p", "q"), (one.numpy() for one in answer), strict=True)))]


def unsigned(folder, base):
    """A SavedModel without signatures."""
    model = unit(folder)
    tf.saved_model.save(model, str(folder / "saved"))
    export(
        folder / "saved", base, "--signature", "serving_default=score", "--signature", "n=number"
    )
    return of_unit(model, "serving_default", "n")


def of_graph():
    """Return the sigmoid of a column times the trained weight, as a session computes it."""
    with tf.Graph().as_default(), v1.Session() as session:
        answer = session.run(tf.sigmoid(tf.constant(X[:, :1]) * 3.0))
    return Predict({"x": X[:, :1]}, {"y": answer})


def checkpoint(folder, base):
    """A checkpoint of TensorFlow 1 with its meta graph, and a table."""
    train(folder)
    flags = ["--inputs", "x=x:0", "--outputs", "y=model/y:0"]
    flags += ["--inputs", "words:word=word", "--outputs", "words:z=z"]
    export(folder / "model.ckpt-7", base, *flags)
    words = Predict({"word": WORDS}, {"z": np.float32([6, 0, 0])}, "words")
    return [of_graph(), words]


def frozen(folder, base):
    """A frozen graph, behind Examples too."""
    train(folder)
    flags = ["--classify", "y", "--regress", "y", "--signature", "raw=serving_default"]
    export(folder / "frozen.pb", base, *flags)
    raw = of_graph()
    examples = [{"x": one} for one in raw.feeds["x"].tolist()]
    values = raw.answer["y"].ravel().tolist()
    return [
        raw,
        Predict(raw.feeds, raw.answer, "raw"),
        Classify(examples, [[("", value)] for value in values]),
        Regress(examples, values),
    ]


def python_module(folder, base):
    """A `tf.Module` that a function of the user's code returns."""
    (folder / "training.py").write_text(
        "from pathlib import Path\n"
        "from tests.local_server.export import trained\n"
        "def build():\n"
        "    return trained.unit(Path(__file__).parent)\n"
    )
    export("training:build", base)
    return of_unit(unit(folder))


def python_function(folder, base):
    """A `tf.function` of the user's code."""
    (folder / "scoring.py").write_text(
        "import tensorflow as tf\n"
        "weight = tf.Variable([[2.0], [-0.5]])\n"
        "spec = tf.TensorSpec([None, 2], tf.float32, 'x')\n"
        "score = tf.function(lambda x: {'y': x @ weight}, input_signature=[spec])\n"
    )
    export("scoring:score", base)
    return [Predict({"x": X}, {"y": (tf.constant(X) @ [[2.0], [-0.5]]).numpy()})]


def in_python(folder, base):
    """`cloudserve.export` of a Keras model, with images cut and scaled from -1 to 1."""
    model = pictures()
    image = ImageInput(scale=127.5, offset=1.0, resize="crop")
    cloudserve.export(model, base, image=image, examples=ExamplesInput(predict=True))
    images = RANDOM.integers(0, 256, (2, 4, 8, 3), np.uint8)
    files = np.array([tf.io.encode_png(one).numpy() for one in images], object)
    pixels = tf.cast(images[:, :, 2:6], tf.float32) / 127.5 - 1.0
    answer = numpy(model(pixels))
    return [
        Predict({"image_bytes": files}, answer, "image_bytes"),
        Predict({"pixels": pixels.numpy()}, answer),
    ]


def estimator(folder, base):
    """A SavedModel as an Estimator writes it: Examples with texts, a vocabulary, three methods."""
    (folder / "words.txt").write_text("cat\ncafé\n")
    path = folder / "exported"
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], "input_example_tensor")
        spec = {
            "word": tf.io.VarLenFeature(tf.string),
            "age": tf.io.FixedLenFeature([1], tf.int64, 1),
        }
        features = v1.parse_example(serialized, spec)
        keys = tf.lookup.TextFileInitializer(
            str(folder / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        )  # fmt: skip
        table = tf.lookup.StaticHashTable(keys, 2)
        embedding = v1.get_variable("embedding", initializer=[[1.0], [2.0], [4.0]])
        found = table.lookup(tf.sparse.to_dense(features["word"], ""))[:, :1]
        logits = tf.gather(embedding, found[:, 0]) * tf.cast(features["age"], tf.float32)
        scores = tf.concat([1 - tf.sigmoid(logits), tf.sigmoid(logits)], 1)
        classes = tf.tile(tf.constant([["no", "yes"]]), [tf.shape(scores)[0], 1])
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        utils = v1.saved_model.signature_def_utils
        signatures = {
            "serving_default": utils.classification_signature_def(serialized, classes, scores),
            "regression": utils.regression_signature_def(serialized, logits),
            "predict": utils.predict_signature_def(
                {"examples": serialized}, {"logits": logits, "classes": classes}
            ),
        }
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signatures,
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
        examples = [{"word": ["cat"], "age": [2]}, {"word": ["café"]}, {"word": ["x"], "age": [1]}]
        texts = np.array([example(one).SerializeToString() for one in examples], object)
        values, probabilities = session.run([logits, scores], {serialized: texts})
    export(path, base)
    named = [list(zip(("no", "yes"), row, strict=True)) for row in probabilities.tolist()]
    labels = np.array([["no", "yes"]] * 3, object)
    return [
        Predict({"examples": texts}, {"logits": values, "classes": labels}, "predict"),
        Classify(examples, named, "serving_default"),
        Regress(examples, values.ravel().tolist()),
    ]


def unrestored(folder, base):
    """A Keras 3 model of `tf.saved_model.save`, which TensorFlow Serving does not restore."""
    model = pictures()
    tf.saved_model.save(model, str(folder / "saved"))
    export(folder / "saved", base)
    pixels = RANDOM.random((2, 4, 4, 3), np.float32)
    return [Predict({"inputs": pixels}, numpy(model(pixels)))]


SHORT = {"keras": keras, "frozen": frozen}
LONG = {
    "h5": h5,
    "savedmodel_without_signatures": unsigned,
    "checkpoint": checkpoint,
    "python_module": python_module,
    "python_function": python_function,
    "in_python": in_python,
    "estimator": estimator,
    "unrestored_keras": unrestored,
}
