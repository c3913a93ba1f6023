"""The argument MODEL: every command that reads a model names what a path or a URL is instead."""

from __future__ import annotations

import gzip
import shutil

import pytest

from cloudserve.cli.errors import run

COMMANDS = {
    "check": (),
    "inspect": (),
    "repair": ("out",),
    "run": ("--input", "x=[1]"),
    "tune": ("--p99", "50ms"),
}
ALL = tuple(COMMANDS)
CONTENTS = {
    "notes.txt": b"text",
    "nothing.txt": b"",
    "model.h5": b"\x89HDF\r\n\x1a\n",
    "model.tar.gz": gzip.compress(b"an archive"),
    "model.zip": b"PK\x03\x04 and more",
    "model.pt": b"PK\x03\x04 and more",
    "model.pkl": b"\x80\x04.",
    "model.tflite": b"\x1c\0\0\0TFL3",
    "model.onnx": b"\x08\x0a",
}
KINDS = {
    "notes.txt": (ALL, "it is a file of another kind", "give the directory that holds"),
    "nothing.txt": (ALL, "it is an empty file", "give the directory that holds"),
    "model.h5": (ALL, "model.h5 is a Keras model in HDF5", "cloudserve export model.h5 models"),
    "model.tar.gz": (ALL, "model.tar.gz is a compressed file", "unpack it"),
    "model.zip": (ALL, "model.zip is a zip archive", "unpack it"),
    "model.pt": (ALL, "model.pt is a PyTorch model", "torch.onnx.export"),
    "model.pkl": (ALL, "model.pkl is a Python object", "skl2onnx"),
    "model.tflite": (
        ("check", "repair", "tune"),
        "is a TensorFlow Lite model",
        "cloudserve serve model.tflite",
    ),
    "model.onnx": (("check", "repair", "tune"), "is an ONNX model", "cloudserve serve model.onnx"),
    "empty": (ALL, "the directory is empty", "give the directory that holds"),
    "absent": (ALL, "`absent` does not exist", "give the directory of a SavedModel"),
    "https://h/x": (ALL, "`https://h/x` is neither a directory nor a folder", "write s3://BUCKET"),
    "s3://bucket": (ALL, "`s3://bucket` is neither a directory nor", "write s3://BUCKET/FOLDER"),
    "file:///nowhere/x": (ALL, "there is no such folder", "check its name"),
    "ours:/x/3": (ALL, "no installed package has a registry for `ours:/", "install it beside"),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, name) for name, (named, *_) in KINDS.items() for command in named],
)
def test_another_kind_is_named_with_what_to_do(tmp_path, monkeypatch, capsys, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    if name in CONTENTS:
        (tmp_path / name).write_bytes(CONTENTS[name])
    before = sorted(tmp_path.rglob("*"))
    assert run([command, name, *COMMANDS[command]]) in {2, 3}
    err = capsys.readouterr().err
    _, what, hint = KINDS[name]
    assert what in err
    assert hint in err.partition("to do: ")[2]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow  # it imports TensorFlow before it looks at the source
@pytest.mark.parametrize("source", ["notes.txt", "model.tar.gz", "empty", "absent", "s3://b/x"])
def test_export_names_what_a_source_is_instead(tmp_path, monkeypatch, capsys, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    if source in CONTENTS:
        (tmp_path / source).write_bytes(CONTENTS[source])
    assert run(["export", source, "models/x"]) == 2
    err = capsys.readouterr().err
    assert ("there is no such file" in err) == (source == "absent")
    assert not (tmp_path / "models").exists()


def test_a_model_in_a_bucket_is_read_and_not_written(tmp_path, shared_models, monkeypatch, capsys):
    monkeypatch.setenv("CLOUDSERVE_MODEL_CACHE", str(tmp_path / "cache"))
    base = tmp_path / "bucket" / "models" / "half"
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", base / "123")
    before = sorted((tmp_path / "bucket").rglob("*"))
    assert run(["check", f"file://{base}"]) == 0
    assert run(["inspect", f"file://{base}/123"]) == 0
    out = capsys.readouterr().out
    assert f"file://{base}: nothing found" in out
    assert f"path        file://{base}/123" in out
    assert str(tmp_path / "cache") not in out
    assert sorted((tmp_path / "bucket").rglob("*")) == before


@pytest.mark.parametrize("name", ["model.tflite", "7/model.onnx"])
def test_a_model_of_one_file_in_a_bucket_is_named(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv("CLOUDSERVE_MODEL_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "bucket" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENTS[path.name])
    for command in ("check", "repair", "tune"):  # the others take such a file
        assert run([command, f"file://{tmp_path}/bucket", *COMMANDS[command]]) == 3
        err = capsys.readouterr().err
        assert f"there is no SavedModel, but a TensorFlow Lite or ONNX file: {name}" in err
        assert "`cloudserve serve`, `run` and `inspect` take it" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("repair", "{half}", "s3://bucket/out", "--signature", "run=serving_default"),
        ("tune", "{half}", "--p99", "5ms", "--into", "gs://bucket/out"),
        ("run", "{half}", "--input", "x=[1]", "--outdir", "s3://bucket/out"),
    ],
)
def test_a_result_is_not_written_to_a_url(tmp_path, shared_models, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    half = shared_models / "tfs_half_plus_two_cpu"
    assert run([one.format(half=half) for one in arguments]) == 2
    assert "cannot be written to a URL" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
