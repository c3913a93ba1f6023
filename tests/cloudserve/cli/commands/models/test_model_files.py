"""Commands with TensorFlow Lite and ONNX files: shown and run here, refused for a platform."""

import json

import pytest

from cloudserve.cli.errors import run
from tests.model_files import onnx_model, tflite_bytes, write

PROJECT = """
models:
  half:
    path: half
targets:
  aws:
    provider: sagemaker
    region: us-east-1
    bucket: s3://models-of-a-test
    role_arn: arn:aws:iam::123456789012:role/endpoint
"""
HINT = "the platforms run SavedModels: export the model that it was made from"


@pytest.fixture
def onnx(tmp_path, monkeypatch):
    """Stand in a folder with version 2 of an ONNX model."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "half" / "2" / "model.onnx", onnx_model().SerializeToString())
    return "half"


def test_an_onnx_model_is_shown(onnx, capsys):
    assert run(["inspect", onnx]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line]
    shown = dict(row for row in rows if len(row) > 1)
    assert shown["path"] == "half/2/model.onnx"
    assert (shown["version"], shown["format"], shown["opset"]) == ("2", "ONNX", "ai.onnx 17")
    assert shown["ops"] == "Add, Mul"
    assert shown["in"].split() == ["x", "float32", "[?]", "x"]


@pytest.mark.parametrize("path", ["half", "half/2", "half/2/model.onnx"])
def test_a_model_of_a_url_is_shown_and_run(onnx, tmp_path, monkeypatch, capsys, path):
    monkeypatch.setenv("CLOUDSERVE_MODEL_CACHE", str(tmp_path / "cache"))
    url = f"file://{tmp_path}/{path}"
    assert run(["inspect", url, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == url
    assert run(["run", url, "--input", "x=[2.0, 4.0]", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == [3.0, 4.0]


def test_errors_name_the_url(onnx, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLOUDSERVE_MODEL_CACHE", str(tmp_path / "cache"))
    url = f"file://{tmp_path}/half"
    assert run(["check", url]) == 3
    assert "but a TensorFlow Lite or ONNX file: 2/model.onnx" in capsys.readouterr().err
    assert run(["run", url, "--input", "z=[2.0]"]) != 0
    assert "cache" not in capsys.readouterr().err
    (tmp_path / "half" / "2" / "model.onnx").write_bytes(b"cut")
    assert run(["inspect", url]) == 3
    error = capsys.readouterr().err
    assert f"where: {url}" in error
    assert "cache" not in error


def test_a_tflite_file_is_shown_as_json(tmp_path, capsys):
    path = write(tmp_path / "half.tflite", tflite_bytes())
    assert run(["inspect", str(path), "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["format"], shown["version"], shown["ops"]) == (
        "TensorFlow Lite",
        1,
        ["ADD", "MUL"],
    )
    assert shown["signatures"][0]["inputs"][0]["alias"] == "x"


def test_a_version_that_does_not_exist_is_refused(onnx, tmp_path, capsys):
    assert run(["inspect", onnx, "--version", "3"]) == 2
    assert "there is no version 3" in capsys.readouterr().err
    assert run(["inspect", str(tmp_path / onnx / "2" / "model.onnx"), "--version", "3"]) == 2
    assert "the model is version 1, not 3" in capsys.readouterr().err


def test_models_of_one_file_are_run(onnx, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")
    lite = write(tmp_path / "half.tflite", tflite_bytes())
    for model in (onnx, str(lite)):
        assert run(["run", model, "--input", "x=[1.0, 5.0]", "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"outputs": [2.5, 4.5]}


@pytest.mark.parametrize(
    "command",
    [
        ["deploy", "half", "--target", "aws", "--yes"],
        ["plan", "deploy", "half", "--target", "aws"],
        ["check", "half", "--for", "aws"],
    ],
)
def test_a_release_to_a_platform_is_refused_before_the_first_call(
    onnx, tmp_path, monkeypatch, capsys, command
):
    # Nothing listens there: a call would be an error of its own.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "cloudserve.yaml").write_text(PROJECT, "utf-8")
    assert run(command) == 3
    output = capsys.readouterr()
    said = " ".join((output.out + output.err).split())
    assert "the directory has no saved_model.pb: model.onnx is an ONNX model" in said
    assert HINT in said
    assert "127.0.0.1:9/" not in said
