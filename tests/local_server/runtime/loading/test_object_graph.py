"""Models of `tf.saved_model.save` in a session, bit for bit as `tf.saved_model.load` has them.

Of models with Keras layers the restore op sets copies of the variables: a session has the values
by the object graph, or answers nothing.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.repair.repair import repair_model
from cloudserve.local_server.runtime.callables import SessionModel
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model

from cloudserve.local.model_repair import RepairRequest
from cloudserve.savedmodel import read_saved_model

keras = tf.keras
layers = keras.layers
RNG = np.random.default_rng(5)
WORDS = np.array([[b"red"], [b"blue green"], [b"none of them"]], object)


def floats(*shape):
    return RNG.random(shape, np.float32)


def convolutions():
    x = inputs = layers.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.BatchNormalization(moving_mean_initializer="ones")(x)
    x = layers.SeparableConv2D(4, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(3)(x)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x))), floats(
        2, 12, 12, 3
    )


def nested():
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(4, "tanh"), layers.Dense(3)])
    x = layers.Input((4,))
    return keras.Model(x, layers.Dense(2)(keras.Sequential([inner, layers.Dense(5)])(x))), floats(
        3, 4
    )


def shared():
    """One layer twice, and an embedding that is the last layer's kernel too."""
    dense, left, right = layers.Dense(3), layers.Input((4,)), layers.Input((4,))
    y = layers.Concatenate()([dense(left), dense(right), dense(left * 2.0)])
    return keras.Model([left, right], layers.Dense(2)(y)), floats(2, 4)


def recurrent():
    x = layers.Input((5, 3))
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    y = layers.GRU(3)(layers.LayerNormalization()(y))
    return keras.Model(x, y), floats(2, 5, 3)


def attention():
    x = layers.Input((5,), dtype="int32")
    y = layers.Embedding(20, 8)(x)
    y = layers.MultiHeadAttention(2, 4)(y, y)
    return keras.Model(x, layers.Dense(2)(y)), RNG.integers(0, 20, (2, 5)).astype(np.int32)


def words():
    """Text that a table turns into numbers: a vocabulary in memory, kept as an asset."""
    x = layers.Input((1,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["red", "green", "blue"], num_oov_indices=2)
    return keras.Model(x, layers.Embedding(6, 3)(lookup(x))), WORDS


def adapted_text():
    """A vocabulary that was learnt, a ragged tensor inside."""
    text = layers.TextVectorization(output_mode="int", output_sequence_length=4)
    text.adapt(["red green", "blue red"])
    x = layers.Input((), dtype="string")
    return keras.Model(x, layers.Embedding(20, 3)(text(x))), WORDS[:, 0]


def counted_words():
    lookup = layers.StringLookup(output_mode="tf_idf")
    lookup.adapt(["red", "red", "green", "blue"])
    x = layers.Input((1,), dtype="string")
    return keras.Model(x, layers.Dense(2)(lookup(x))), WORDS


def scaled():
    normal = layers.Normalization()
    normal.adapt(floats(20, 3))
    x = layers.Input((3,))
    return keras.Model(x, layers.Dense(2)(normal(x))), floats(2, 3)


def quantized():
    model = keras.Sequential([layers.Input((8,)), layers.Dense(8, "relu"), layers.Dense(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the input layer, which has nothing to quantize
        model.quantize("int8")
    return model, floats(3, 8)


def half_precision():
    x = layers.Input((4,))
    return keras.Model(x, layers.Dense(2, dtype="mixed_bfloat16")(x)), floats(2, 4)


class Subclassed(keras.Model):
    """Layers in lists and dictionaries, and variables of its own."""

    def __init__(self):
        super().__init__()
        self.many = [layers.Dense(3), layers.Dense(3)]
        self.named = {"a": layers.Dense(2), "b": layers.Dense(2, use_bias=False)}
        self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")
        self.calls = tf.Variable(4.0, trainable=False)

    def call(self, x):
        for layer in self.many:
            x = layer(x)
        self.calls.assign_add(1.0)
        return (self.named["a"](x) - self.named["b"](x)) * self.scale * self.calls


def subclassed():
    model, x = Subclassed(), floats(2, 3)
    model(x)
    return model, x


MAKERS = [
    convolutions,
    nested,
    shared,
    recurrent,
    attention,
    words,
    adapted_text,
    counted_words,
    quantized,
    half_precision,
    subclassed,
]


class Tables(tf.Module):
    """Tables of every kind beside a Keras layer."""

    def __init__(self, kind):
        super().__init__()
        self.layer = layers.Dense(2)
        self.layer.build((None, 1))
        if kind == "static":
            rows = tf.lookup.KeyValueTensorInitializer(["red", "none"], [3.0, 4.0])
            self.table = tf.lookup.StaticHashTable(rows, -1.0)
            return
        maker = tf.lookup.experimental
        if kind == "mutable":
            self.table = maker.MutableHashTable(tf.string, tf.float32, -1.0)
        else:
            self.table = maker.DenseHashTable(tf.string, tf.float32, -1.0, "", "<deleted>")
        self.table.insert(["red", "none of them"], [3.0, 4.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.string)])
    def serve(self, x):
        ragged = tf.strings.split(x[:, 0])
        lengths = tf.cast(ragged.row_lengths(), tf.float32)[:, None]
        result = tf.reshape(self.table.lookup(x), (-1, 1))
        return {"y": self.layer(result) + lengths}


class Noisy(tf.Module):
    """Random numbers, by a state that each call changes, beside a Keras layer."""

    def __init__(self):
        super().__init__()
        self.layer = layers.Dense(3)
        self.layer.build((None, 3))
        self.generator = tf.random.Generator.from_seed(7)

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def serve(self, x):
        return {"y": self.layer(x) + self.generator.normal([1, 3])}


def expected(path, feeds, calls):
    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    fields = {alias: tf.constant(array) for alias, array in feeds.items()}
    return [{alias: y.numpy() for alias, y in function(**fields).items()} for _ in range(calls)]


def check(path, x, calls=3, options=None):
    specs = {one.name: one for one in read_saved_model(path).all_signatures}
    feeds = {spec.alias: x for spec in specs["serving_default"].inputs}
    model = load_model(path, options=options)
    got = [model.run("serving_default", feeds) for _ in range(calls)]
    model.close()
    for ours, theirs in zip(got, expected(path, feeds, calls), strict=True):
        assert ours.keys() == theirs.keys()
        for alias, array in ours.items():
            assert (array.dtype, array.shape) == (theirs[alias].dtype, theirs[alias].shape)
            assert array.tobytes() == theirs[alias].tobytes(), alias
    return model


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own deprecations
        tf.saved_model.save(model, str(path))


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_keras_model_answers_bit_for_bit_as_saved_model_load(make, tmp_path):
    keras.utils.set_random_seed(1)
    model, x = make()
    save(model, tmp_path / "1")
    assert read_saved_model(tmp_path / "1").unrestored
    assert isinstance(check(tmp_path / "1", x), SessionModel)
    # The repair compares the answers of both models, the copy's loaded by the restore op alone.
    assert repair_model(tmp_path / "1", tmp_path / "2", RepairRequest()).compared
    assert read_saved_model(tmp_path / "2").unrestored == ()


@pytest.mark.parametrize("kind", ["static", "mutable", "dense"])
def test_tables_beside_keras_layers_answer_bit_for_bit(kind, tmp_path):
    keras.utils.set_random_seed(1)
    save(Tables(kind), tmp_path / "1")
    check(tmp_path / "1", WORDS)


def test_random_numbers_come_in_the_same_order(tmp_path):
    keras.utils.set_random_seed(1)
    save(Noisy(), tmp_path / "1")
    check(tmp_path / "1", floats(2, 3))


def test_constants_that_tensorflow_folds_differ_by_the_last_bit_alone(tmp_path):
    """A session divides by a constant as TensorFlow Serving's does, `tf.saved_model.load` does not.

    Without TensorFlow's optimizer of graphs the answers are the same to the bit.
    """
    keras.utils.set_random_seed(1)
    model, x = scaled()
    save(model, tmp_path / "1")
    plain = tmp_path / "session.config"
    plain.write_text("graph_options { rewrite_options { disable_meta_optimizer: true } }")
    check(tmp_path / "1", x, options=SessionOptions(config_file=plain))
    model = load_model(tmp_path / "1")
    (got,) = model.run("serving_default", {"inputs": x}).values()
    model.close()
    ((theirs,),) = (one.values() for one in expected(tmp_path / "1", {"inputs": x}, 1))
    np.testing.assert_array_max_ulp(got, theirs, 8)
