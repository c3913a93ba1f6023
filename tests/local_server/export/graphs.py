"""Graphs as TensorFlow 1 trained and saved them."""

from __future__ import annotations

import tensorflow as tf

v1 = tf.compat.v1


def train(folder, words=None):
    """Save a trained graph to a folder, as a checkpoint and frozen; return its weight.

    `y` is the sigmoid of `x` times a weight, `z` the number of a word times it; `words` is a file
    of words, for a table that is filled from it. The batches come from a pipeline as well.
    """
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 1], "x")
        word = v1.placeholder(tf.string, [None], "word")
        weight = v1.get_variable("w", initializer=3.0)
        y = tf.sigmoid(x * weight, name="model/y")
        if words is None:
            pairs = tf.lookup.KeyValueTensorInitializer(["cat"], [2.0])
        else:
            pairs = tf.lookup.TextFileInitializer(
                str(words), tf.string, 0, tf.float32, 1, delimiter=" "
            )
        table = tf.lookup.StaticHashTable(pairs, 0.0)
        tf.multiply(table.lookup(word), weight, name="z")
        rows = tf.data.Dataset.from_tensors([[1.0]]).repeat(3)
        batch = v1.data.make_one_shot_iterator(rows).get_next()
        tf.identity(batch * weight, name="batched")
        loss = tf.reduce_mean(tf.square(y - v1.placeholder(tf.float32, [None, 1], "label")))
        v1.train.AdamOptimizer(0.1).minimize(loss)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.train.Saver().save(session, str(folder / "model.ckpt"), global_step=7)
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["model/y"]
        )
        (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
    return 3.0
