"""The pages on models, without a cloud: files in, files out."""

from __future__ import annotations

from tests.cloudserve.client.echo import write_echo

from .page import Page, Room

RUN = "python make.py"
"""Makes the models that a page assumes: TensorFlow in a process of its own."""

BROKEN = """\
import tensorflow as tf
layers = tf.keras.layers
model = tf.keras.Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
tf.saved_model.save(model, "models/flowers/1")
"""
TRAINED = """\
import tensorflow as tf
layers = tf.keras.layers
pixels = layers.Input((8, 8, 3), name="pixels")
scores = layers.Dense(3, name="scores")(layers.Flatten()(pixels))
tf.keras.Model(pixels, scores).save("cats.keras")
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
    weights = tf.compat.v1.get_variable("weights", [3, 2])
    tf.nn.softmax(x @ weights, name="softmax")
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, "./model.ckpt", global_step=1000)
with tf.Graph().as_default() as graph:
    x = tf.compat.v1.placeholder(tf.float32, [4, 3], "x")
    tf.nn.softmax(x @ tf.ones([3, 2]), name="y")
with open("frozen.pb", "wb") as file:
    file.write(graph.as_graph_def().SerializeToString())
"""
TRAINING = """\
import tensorflow as tf

def build():
    layers = tf.keras.layers
    pixels = layers.Input((3,), name="pixels")
    return tf.keras.Model(pixels, {"scores": layers.Dense(2, name="scores")(pixels)})
"""
IMAGES = """\
import numpy as np
from PIL import Image
Image.new("L", (28, 28), 128).save("seven.png")
np.save("images.npy", np.zeros((2, 28, 28, 1), np.float32))
"""


def _run_a_model(room: Room) -> None:
    room.copy("half", 1, of="tfs_half_plus_two_2v/123")
    room.write("request.json", '{"instances": [[1.0]]}')


def _check(room: Room) -> None:
    room.copy("counter", 123, of="tfs_counter/123")
    room.copy("fraud", 1, of="tfs_half_plus_two_2v/123")


def _compare(room: Room) -> None:
    write_echo(room.folder / "models/mnist", 2, signatures=_pixels(-1))
    write_echo(room.folder / "models/mnist", 3, signatures=_pixels(1))


def _pixels(rows: int) -> dict[str, dict[str, tuple[int, tuple[int, ...]]]]:
    return {"serving_default": {"pixels": (1, (rows, 784))}}


def _flowers(room: Room) -> None:
    room.write("make.py", BROKEN)


def _cats(room: Room) -> None:
    room.write("make.py", TRAINED)
    room.write("training.py", TRAINING)
    room.write("classes.txt", "cat\ndog\n")
    room.write("labels.txt", "cat\ndog\nfish\n")


def _mnist(room: Room) -> None:
    signatures = {"serving_default": {"image": (1, (-1, 28, 28, 1))}}
    write_echo(room.folder / "models/mnist", 1, signatures=signatures)
    room.copy("taxi", 1, of="tfx_taxi_estimator/1646034756")
    room.write("make.py", IMAGES)


def _arrays(room: Room, _: object) -> None:
    assert (room.folder / "scores.npy").read_bytes().startswith(b"\x93NUMPY")


PIP = {"pip install": "the packages are installed"}

MODELS = {
    "docs/how-to/run-a-model.md": Page(_run_a_model),
    "docs/how-to/check-a-model.md": Page(_check),
    "docs/how-to/repair-a-model.md": Page(_flowers, before={"": RUN}),
    "docs/how-to/export-a-model.md": Page(_cats, before={"": RUN}),
    "docs/how-to/compare-models.md": Page(
        _compare,
        before={"": "cloudserve deploy mnist -t aws --version 2"},
        exits={"cloudserve diff": (6,)},
    ),
    "docs/how-to/call-a-model.md": Page(
        _mnist,
        before={
            "": f"{RUN}; cloudserve deploy mnist -t aws",
            "cloudserve predict http": "cloudserve serve models/mnist",
        },
        without=PIP,
        after=_arrays,
    ),
    "docs/reference/project-file.md": Page(
        unlike={"python -c": "a path"},
    ),
}
