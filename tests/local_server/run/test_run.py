"""`cloudserve run` with real models: inputs of every kind, outputs as text, JSON and files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.codecs.examples import encode_example
from cloudserve.local_server.codecs.tfrecord import frame

from cloudserve.cli.errors import run


@pytest.fixture
def half(shared_models, tmp_path, monkeypatch):
    """Stand in an empty folder; give the path of a model that answers x/2 + 2."""
    monkeypatch.chdir(tmp_path)
    return str(shared_models / "tfs_half_plus_two_cpu")


def outputs(capsys, *args):
    """Run the command, and return the outputs of its JSON."""
    assert run(["run", *args, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, code, *args):
    assert run(["run", *args]) == code
    return capsys.readouterr().err


def test_a_list(half, capsys):
    assert outputs(capsys, half, "--input", "x=[[1.0], [5]]") == {"outputs": [[2.5], [4.5]]}


def test_the_outputs_are_shown_with_their_types(half, capsys):
    assert run(["run", half, "--input", "x=[[1.0], [5]]"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("signature serving_default: loaded in ")
    assert lines == ["", "y  float32[2,1]", "[[2.5],", " [4.5]]"]


@pytest.mark.parametrize("dtype", ["float64", "int8", "float32", "bool"])
def test_arrays_of_files_are_converted(half, capsys, tmp_path, dtype):
    array = np.array([[0], [1]], dtype)
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "two.npz", a=array, b=array + array)
    assert outputs(capsys, half, "--input", "x=x.npy") == {"outputs": [[2.0], [2.5]]}
    last = 2.5 if dtype == "bool" else 3.0
    assert outputs(capsys, half, "--input", "x=two.npz[b]") == {"outputs": [[2.0], [last]]}


def test_the_options_of_saved_model_cli(half, capsys, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((1, 1)))
    common = ["--dir", f"{half}/123", "--tag_set", "serve", "--signature_def", "serving_default"]
    assert outputs(capsys, *common, "--inputs", "x=x.npy") == {"outputs": [[2.5]]}
    assert outputs(capsys, *common, "--input_exprs", "x=np.zeros((1,1))") == {"outputs": [[2.0]]}


def test_a_request_is_answered_as_tensorflow_serving_answers(half, capsys, tmp_path):
    (tmp_path / "rows.json").write_text('{"instances": [1.0, 5.0]}')
    assert outputs(capsys, half, "--json", "rows.json") == {"predictions": [2.5, 4.5]}
    (tmp_path / "columns.json").write_text('{"inputs": [[1.0]]}')
    assert outputs(capsys, half, "--json", "columns.json") == {"outputs": [[2.5]]}


def test_examples_as_text_and_of_a_file(shared_models, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = {"trip_miles": [1.5], "company": ["Blue"], "trip_start_hour": [3]}
    (tmp_path / "x.tfrecord").write_bytes(frame(encode_example(example)))
    model = [str(shared_models / "tfx_taxi_estimator"), "--signature", "predict"]
    as_text = outputs(capsys, *model, "--examples", f"examples=[{example}]")
    of_file = outputs(capsys, *model, "--examples", "examples=x.tfrecord")
    assert as_text == of_file
    assert 0 < as_text["outputs"]["logistic"][0][0] < 1


def test_outputs_are_written_once(half, capsys, tmp_path):
    args = [half, "--input", "x=[[1.0]]", "--outdir", "out"]
    outputs(capsys, *args)
    assert np.load(tmp_path / "out" / "y.npy").tolist() == [[2.5]]
    assert "the file exists" in refusal(capsys, 2, *args)
    outputs(capsys, half, "--input", "x=[[3.0]]", "--outdir", "out", "--overwrite")
    assert np.load(tmp_path / "out" / "y.npy").tolist() == [[3.5]]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["y.npy"]


def test_no_output_is_written_into_a_model(half, tmp_path, capsys):
    (tmp_path / "saved_model.pb").touch()
    text = refusal(capsys, 5, half, "--input", "x=[[1.0]]", "--outdir", "out")
    assert "an output would be part of the model" in text
    assert not (tmp_path / "out").exists()


WRONG = {
    "no input": ([], "signature serving_default needs x"),
    "unknown": (["--input", "z=1"], "has no input z"),
    "text": (["--input", "x=['a']"], "it has texts, and the input takes numbers"),
    "ragged": (["--input", "x=[[1], [2, 3]]"], "its rows have different lengths"),
    "twice": (["--input", "x=1", "--input", "x=2"], "the input x is given twice"),
    "twice in two options": (["--input", "x=1", "--file", "x=f"], "the input x is given twice"),
    "shapes": (["--input", "x=[np.ones((2, 3)), np.ones((2, 4))]"], "different lengths"),
    "no value": (["--input", "x"], "`x` is not NAME=VALUE"),
    "value for a file": (["--inputs", "x=[1.0]"], "`[1.0]` names no file"),
    "no file": (["--input", "x=absent.npy"], "No such file"),
    "pickle": (["--input", "x=a.pkl"], "it can run any code"),
    "signature": (["--signature", "other", "--input", "x=1"], "there is no signature other"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_one_error(half, capsys, name):
    args, text = WRONG[name]
    assert text in refusal(capsys, 2, half, *args)


def test_a_damaged_file_is_one_error(half, capsys, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY broken")
    assert "is not an array of numpy" in refusal(capsys, 2, half, "--input", "x=x.npy")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 broken")
    assert "is not an array of numpy" in refusal(capsys, 2, half, "--input", "x=x.npz")
    (tmp_path / "x.tfrecord").write_bytes(b"not one of its files")
    text = refusal(capsys, 2, half, "--examples", "x=x.tfrecord")
    assert "give a TFRecord file of tf.Examples" in text


def test_the_model_refuses_another_shape_in_its_own_words(shared_models, capsys):
    model = str(shared_models / "sts_template_app")
    inputs = ["--input", "keys=[[1]]", "--input", "features=[[1.0, 2.0]]"]
    text = refusal(capsys, 2, model, "--version", "2", *inputs)
    assert text.startswith("error: the model refused the inputs: ")


def test_a_model_that_does_not_load_names_the_reason(shared_models, capsys):
    text = refusal(capsys, 3, str(shared_models / "tfx_pusher"))
    assert "BoostedTreesBucketize" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "args"),
    [
        ("tfs_half_plus_two_cpu/123", ["--input_exprs", "x=[[1.0],[2.0]]"]),
        ("tfs_half_plus_two_tf2/123", ["--inputs", "x=x.npy"]),
        ("sts_template_app/2", ["--inputs", "keys=keys.npz[a];features=keys.npz[b]"]),
        (
            "tfx_taxi_estimator/1646034756",
            ["--input_examples", "examples=[{'trip_miles': [1.5], 'company': ['Blue']}]"],
        ),
    ],
)
def test_saved_model_cli_writes_the_same_files(
    shared_models, tmp_path, monkeypatch, capsys, model, args
):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.ones((1,), np.float32))
    np.savez("keys.npz", a=np.ones((2, 1), np.int32), b=np.ones((2, 9), np.float32))
    signature = "predict" if "taxi" in model else "serving_default"
    common = ["--dir", str(shared_models / model), "--tag_set", "serve"]
    common += ["--signature_def", signature, *args]
    program = Path(sys.executable).with_name("saved_model_cli")
    subprocess.run([program, "run", *common, "--outdir", "theirs"], check=True, timeout=120)
    assert run(["run", *common, "--outdir", "ours"]) == 0
    theirs = sorted((tmp_path / "theirs").iterdir())
    assert theirs
    for path in theirs:
        expected = np.load(path, allow_pickle=True)
        actual = np.load(tmp_path / "ours" / path.name)
        assert actual.tolist() == expected.tolist()
