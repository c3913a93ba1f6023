"""`cloudserve export` of SavedModels: other signatures, functions, models of estimators."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

import cloudserve
from cloudserve import ExamplesInput, ImageInput, TensorNames
from cloudserve.cli.errors import run
from cloudserve.errors import ModelError, UserError
from cloudserve.local.model_run import BytesFile, Expression, RunRequest
from cloudserve.registry import local_server
from cloudserve.savedmodel import read_saved_model, read_tree

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Scale(tf.Module):
    """Two functions, saved without a signature."""

    def __init__(self):
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def score(self, x):
        return {"scores": x * self.factor}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def half(self, x):
        return {"y": x / self.factor}

    @tf.function
    def untraced(self, x):
        return x


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory):
    """Give a SavedModel of TensorFlow 2 without signatures."""
    path = tmp_path_factory.mktemp("unsigned") / "1"
    tf.saved_model.save(Scale(), str(path))
    return path


def answers(folder, signature, **sources):
    result = local_server().run_once(folder, RunRequest(signature, sources))
    return json.loads(result.answer)["outputs"]


def signature_names(folder):
    return [one.name for one in read_saved_model(folder).signatures]


def test_a_function_of_a_model_without_signatures_is_chosen(unsigned, tmp_path):
    before = read_tree(unsigned)
    report = cloudserve.export(unsigned, tmp_path, names={"serving_default": "score"})
    assert (report.compared, report.ulp, report.signatures) == (2, 0, ("serving_default",))
    ones = Expression("[[1.0, 3.0]]")
    assert answers(report.path, "serving_default", x=ones) == [[2.0, 6.0]]
    assert read_tree(unsigned) == before


def test_the_functions_are_listed_if_none_is_chosen(unsigned, tmp_path, capsys):
    assert run(["export", str(unsigned), str(tmp_path / "m")]) == 2
    assert "name one of these: half, score" in capsys.readouterr().err
    assert run(["export", str(unsigned), str(tmp_path / "m"), "--signature", "a=untraced"]) == 2
    assert "there is no signature or function untraced" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_tensors_of_a_model_become_a_signature(shared_models, tmp_path):
    source = shared_models / "tfs_half_plus_two_cpu"
    tensors = {"half": TensorNames({"x": "x:0"}, {"half": "Mul:0"})}
    report = cloudserve.export(source, tmp_path, tensors=tensors, names={"again": "half"})
    assert {"again", "half", "serving_default"} <= set(report.signatures)
    assert report.ulp == 0
    assert answers(report.path, "again", x=Expression("[[3.0]]")) == [[1.5]]


@pytest.mark.slow
def test_a_model_of_an_estimator_is_compared_by_the_examples_that_it_parses(
    shared_models, tmp_path
):
    report = cloudserve.export(shared_models / "tfx_taxi_estimator", tmp_path)
    assert (report.compared, report.ulp) == (8, 0)
    assert signature_names(report.path) == signature_names(
        shared_models / "tfx_taxi_estimator" / "1646034756"
    )


def test_a_keras_model_that_serving_cannot_restore_is_restored(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2)])
    tf.saved_model.save(model, str(tmp_path / "saved"))
    assert read_saved_model(tmp_path / "saved").unrestored
    report = cloudserve.export(tmp_path / "saved", tmp_path / "m")
    assert (report.compared, report.ulp < 8) == (2, True)
    assert not read_saved_model(report.path).unrestored


def test_examples_have_the_features_of_a_file(unsigned, tmp_path):
    features = tmp_path / "features.json"
    features.write_text('{"x": {"dtype": "int64", "shape": [2], "default": [1, 1]}}')
    classes = tmp_path / "classes.txt"
    classes.write_text("cat\ndog\n")
    named = {"serving_default": "score"}
    wanted = ExamplesInput(features, scores="scores", classes=classes)
    report = cloudserve.export(unsigned, tmp_path / "m", names=named, examples=wanted)
    assert report.signatures == ("classification", "examples", "serving_default")
    assert (report.compared, report.ulp) == (6, 0)
    (model,) = [one for one in read_saved_model(report.path).signatures if "class" in one.name]
    assert model.method_name == "tensorflow/serving/classify"
    again = cloudserve.export(report.path, tmp_path / "m")
    assert (again.compared, again.ulp, again.version) == (6, 0, 2)


def test_classes_are_the_lines_of_a_file_from_any_editor(unsigned, tmp_path):
    classes = tmp_path / "classes.txt"
    classes.write_bytes(b"\xef\xbb\xbfcat\r\nd\xc2\x85og\r\n")
    named = {"serving_default": "score"}
    wanted = ExamplesInput(scores="scores", classes=classes)
    path = cloudserve.export(unsigned, tmp_path / "m", names=named, examples=wanted).path
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.extend([1.0, 2.0])
    loaded = tf.saved_model.load(str(path)).signatures["classification"]
    (words,) = loaded(tf.constant([example.SerializeToString()]))["classes"].numpy().tolist()
    assert [word.decode() for word in words] == ["cat", "d\x85og"]


class Pixels(tf.Module):
    """The pixels of its images."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 2, 1], tf.float32, "pixels")])
    def __call__(self, pixels):
        return {"pixels": pixels}


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("stretch", [[1, 1], [-1, -1]]),
        pytest.param("pad", [[1, -1], [-1, -1]], marks=pytest.mark.slow),
        pytest.param("crop", [[1, 1], [-1, -1]], marks=pytest.mark.slow),
    ],
)
def test_images_are_stretched_padded_or_cut(tmp_path, resize, expected):
    tall = np.zeros((4, 2, 1), np.uint8)
    tall[:2] = 255
    (tmp_path / "tall.png").write_bytes(tf.io.encode_png(tall).numpy())
    image = ImageInput(scale=127.5, offset=1.0, resize=resize, method="nearest")
    report = cloudserve.export(Pixels(), tmp_path / "m", image=image)
    assert report.compared == 4
    served = answers(report.path, "image_bytes", image_bytes=BytesFile(tmp_path / "tall.png"))
    assert np.asarray(served)[0, :, :, 0] == pytest.approx(np.asarray(expected))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not an object"),
        ('{"x": {}}', "x is not an object of dtype, shape and default"),
        ('{"x": {"dtype": "int8"}}', "x needs a dtype"),
        ('{"x": {"dtype": "int64", "shape": [2, null]}}', "x needs a dtype"),
        ('{"y": {"dtype": "int64"}}', "its features are not the model's inputs, x"),
    ],
)
def test_a_wrong_file_of_features_is_one_error(unsigned, tmp_path, text, reason):
    (tmp_path / "features.json").write_text(text)
    wanted = ExamplesInput(tmp_path / "features.json")
    with pytest.raises(UserError, match=reason):
        cloudserve.export(
            unsigned, tmp_path / "m", names={"serving_default": "score"}, examples=wanted
        )
    assert not (tmp_path / "m").exists()


def test_a_damaged_model_is_one_error(unsigned, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes((unsigned / "saved_model.pb").read_bytes()[:99])
    with pytest.raises(ModelError, match="is truncated"):
        cloudserve.export(tmp_path / "1", tmp_path / "m")
    assert not (tmp_path / "m").exists()
