"""`cloudserve export` with steps in the graph: before an input, behind an output."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

import cloudserve
from cloudserve import ExamplesInput, ImageInput
from cloudserve.cli.errors import run
from cloudserve.errors import UserError
from cloudserve.local.model_run import ArrayFile, Expression, RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
layers = tf.keras.layers
LABELS = ["cat", "dog", "fïsh"]


def pictures(activation=None, dtype="float32"):
    """Return a model of 4x4 pictures with three scores."""
    pixels = layers.Input((4, 4, 3), name="pixels", dtype=dtype)
    flat = layers.Flatten(dtype=dtype)(pixels)
    return tf.keras.Model(pixels, layers.Dense(3, activation, name="scores", dtype=dtype)(flat))


class Scores(tf.Module):
    """Scores that are the inputs themselves, with a constant second output."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def __call__(self, x):
        return {"y": x, "y_sum": tf.reduce_sum(x, -1)}


class Numbers(tf.Module):
    """One score for each row of integers."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "n")])
    def __call__(self, n):
        return {"one": tf.cast(n, tf.float32)[:, tf.newaxis]}


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS))
    return path


def answers(folder, signature="serving_default", **sources):
    result = local_server().run_once(folder, RunRequest(signature, sources))
    return json.loads(result.answer)["outputs"]


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_bytes_are_scaled_and_the_best_classes_are_named(labels, tmp_path, capsys):
    model = pictures()
    model.save(tmp_path / "cats.keras")
    flags = ["--preprocess", "pixels=cast:uint8", "--preprocess", "pixels=rescale:1/127.5:-1"]
    flags += ["--postprocess", "scores=softmax", "--postprocess", f"scores=top_k:2:{labels}"]
    base = tmp_path / "m"
    assert run(["export", str(tmp_path / "cats.keras"), str(base), *flags, "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["compared"], report["ulp"] < 8, report["warnings"]) == (2, True, [])
    (signature,) = read_saved_model(base / "1").signatures
    assert (signature.inputs[0].dtype, signature.inputs[0].shape) == ("uint8", (None, 4, 4, 3))
    pixels = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    served = answers(base / "1", pixels=ArrayFile(tmp_path / "x.npy"))
    expected = softmax(model(pixels.astype(np.float32) / 127.5 - 1).numpy())
    order = np.argsort(-expected)[:, :2]
    assert np.allclose(served["scores"], np.take_along_axis(expected, order, -1), atol=1e-6)
    assert served["scores_classes"] == [[LABELS[n] for n in row] for row in order]


def test_a_signature_has_steps_of_its_own(labels, tmp_path):
    names = {"raw": "serving_default"}
    after = {"raw:y": ["sigmoid"], "y": [f"argmax:{labels}"]}
    before = {"raw:": ["normalize:1,2,3:2"]}
    made = cloudserve.export(
        Scores(), tmp_path / "m", names=names, preprocess=before, postprocess=after
    )
    assert (made.compared, made.signatures) == (4, ("raw", "serving_default"))
    x = Expression("[[1.0, 2.0, 3.0], [5.0, 0.0, 0.0]]")
    assert answers(made.path, x=x)["y"] == ["fïsh", "cat"]
    raw = answers(made.path, "raw", x=x)["y"]
    normal = (np.array([[1, 2, 3], [5, 0, 0]]) - [1, 2, 3]) / 2
    assert np.allclose(raw, 1 / (1 + np.exp(-normal)), atol=1e-6)


def test_images_of_any_size_are_resized(tmp_path):
    model = pictures()
    before = {"": ["cast:uint8", "resize:4x4", "normalize:0.4,0.5,0.6:0.2"]}
    made = cloudserve.export(model, tmp_path / "m", preprocess=before)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 3), np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    served = answers(made.path, pixels=ArrayFile(tmp_path / "x.npy"))
    resized = (tf.image.resize(pixels, [4, 4]).numpy() - np.float32([0.4, 0.5, 0.6])) / 0.2
    assert np.allclose(served, model(resized), rtol=1e-5, atol=1e-3)


@pytest.mark.slow
def test_images_and_examples_come_before_the_steps(tmp_path):
    made = cloudserve.export(
        pictures(),
        tmp_path / "m",
        image=ImageInput(scale=1.0),
        examples=ExamplesInput(scores="scores"),
        preprocess={"": ["cast:uint8", "rescale:1/255"]},
        postprocess={"": ["softmax"]},
    )
    assert (made.compared, made.ulp < 8) == (8, True)
    for one in read_saved_model(made.path).signatures:
        assert [spec.shape for spec in one.outputs] == [(None, 3)]


@pytest.mark.parametrize("dtype", ["float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_floats_with_few_digits_are_compared_by_their_own_steps(tmp_path, dtype):
    before, after = {"": ["rescale:1/255"]}, {"": ["softmax"]}
    made = cloudserve.export(pictures(None, dtype), tmp_path, preprocess=before, postprocess=after)
    assert made.compared == 2


def test_the_same_probabilities_are_not_made_twice(tmp_path):
    saved = tmp_path / "saved"
    pictures("softmax").export(saved, verbose=False)
    for source in (saved, pictures("sigmoid")):
        with pytest.raises(UserError, match=r"is the result of S\w+: with softmax"):
            cloudserve.export(source, tmp_path / "m", postprocess={"": ["softmax"]})
    assert not (tmp_path / "m").exists()


WRONG = [
    (Scores, {"": ["rescale:1", "cast:int32"]}, {}, "cast is not the first step of x"),
    (Scores, {"": ["resize:2x2"]}, {}, r"x is float32\[\?,3\], not images of 2x2"),
    (Scores, {"": ["rescale:1e300"]}, {}, r"in which 1e\+300 would be infinite or 0"),
    (Scores, {"": ["rescale:1e-300"]}, {}, "in which 1e-300 would be infinite or 0"),
    (Scores, {"": ["normalize:1e99:1"]}, {}, r"in which 1e\+99 would be infinite or 0"),
    (Scores, {"": ["normalize:0:1,1e-99,1"]}, {}, "1e-99, 1.0.* would be infinite or 0"),
    (Scores, {"": ["normalize:1,2:1"]}, {}, "there are 2 means and 1 deviations"),
    (Scores, {"z": ["rescale:2"]}, {}, "there is no input z for the steps"),
    (Scores, {"z:x": ["rescale:2"]}, {}, "there is no signature z for the steps"),
    (Numbers, {"": ["rescale:2"]}, {}, r"n is int64\[\?\], and rescale makes floats"),
    (Numbers, {}, {"": ["softmax"]}, "softmax needs a score for each of several classes"),
    (Scores, {}, {"": ["softmax"]}, "there are 2 outputs for the steps"),
    (Scores, {}, {"y": ["argmax", "softmax"]}, "a step follows the classes of y"),
    (Scores, {}, {"y": ["softmax", "sigmoid"]}, "y is the result of Softmax"),
    (Scores, {}, {"y": ["top_k:4"]}, "less than 4 scores"),
    (Scores, {}, {"y_sum": ["argmax"]}, "argmax needs a score for each of several classes"),
    (Scores, {"x": ["cast:uint8"], "serving_default:x": ["rescale:2"]}, {}, "x is named twice"),
    (Scores, {"": ["cast:uint8"], "x": ["rescale:2"]}, {}, "x is named twice"),
    (Scores, {}, {"y": ["softmax"], "serving_default:y": ["argmax"]}, "y is named twice"),
    (Scores, {}, {"y": ["argmax:two.txt"]}, "there are 2 labels and 3 scores in y"),
    (Scores, {}, {"y": ["argmax:absent.txt"]}, "the classes cannot be read: No such file"),
]


@pytest.mark.parametrize(("model", "before", "after", "text"), WRONG)
def test_a_step_that_does_not_fit_is_one_error(tmp_path, monkeypatch, model, before, after, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=text) as caught:
        cloudserve.export(model(), "m", preprocess=before, postprocess=after)
    assert caught.value.hint
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["", "pixels", "serving_default:", "serving_default:pixels"])
def test_images_are_not_scaled_twice(tmp_path, name):
    with pytest.raises(UserError, match="divided by 255, and the input is scaled again"):
        cloudserve.export(
            pictures(), tmp_path / "m", image=ImageInput(), preprocess={name: ["rescale:1/255"]}
        )


def test_a_text_that_is_not_a_step_is_a_usage_error(tmp_path, capsys):
    for flag, text in (("--preprocess", "x=blur"), ("--postprocess", "y=top_k:0")):
        assert run(["export", "absent.keras", str(tmp_path / "m"), flag, text]) == 2
    errors = " ".join(capsys.readouterr().err.split())
    assert "`blur` is not a step; name one of these: cast, resize, rescale, normalize" in errors
    assert "0 is not a number of classes" in errors
