"""The line of `inspect` that serves a TensorFlow Lite or ONNX file, typed."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudserve.cli.errors import run
from cloudserve.savedmodel.other_formats import recognize
from tests.model_files import onnx_model, tflite_bytes, write

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
FILES = {
    "base path": ("a half/2/model.onnx", "a half"),
    "folder": ("half/model.tflite", "half"),
    "file": ("half.onnx", "half.onnx"),
}


def content(name):
    return onnx_model().SerializeToString() if name.endswith("onnx") else tflite_bytes()


def shown(capsys, path):
    """Return the line that `inspect` shows."""
    assert run(["inspect", path]) == 0
    (line,) = re.findall(r"^serve it +(.+)$", capsys.readouterr().out, re.MULTILINE)
    return line


@contextmanager
def typed(line, folder):
    """Type a line with free ports; give the URL of the model that it prints."""
    command = [CLOUDSERVE, *shlex.split(line)[1:], "--port", "0", "--grpc-port", "0"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            found = None
            while found is None:
                text = process.stdout.readline()
                assert text, "the server ended"
                found = re.match(r"serving (.+) on (\S+),", text)
            yield found[1], found[2]
        finally:
            process.send_signal(signal.SIGTERM)


def ask(url, name):
    data = json.dumps({"instances": [1.0, 5.0]}).encode()
    address = f"{url}/v1/models/{name.replace(' ', '%20')}:predict"
    with urllib.request.urlopen(urllib.request.Request(address, data), timeout=20) as answer:
        return json.load(answer)


@pytest.mark.parametrize(("name", "path"), FILES.values(), ids=FILES)
def test_the_line_names_what_has_the_model(tmp_path, monkeypatch, capsys, name, path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name, content(name))
    assert shlex.split(shown(capsys, name)) == ["cloudserve", "serve", path]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), FILES.values(), ids=FILES)
def test_the_line_serves_the_model(tmp_path, monkeypatch, capsys, name, path):
    pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")
    pytest.importorskip("ai_edge_litert", reason="pip install 'cloudserve[tflite]'")
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name, content(name))
    with typed(shown(capsys, name), tmp_path) as (model, url):
        assert model == path.partition(".")[0]
        assert ask(url, model) == {"predictions": [2.5, 4.5]}


@pytest.mark.slow
def test_the_line_of_a_refused_export_serves_the_file(tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")
    write(tmp_path / "half.onnx", content("half.onnx"))
    _, hint = recognize(tmp_path / "half.onnx")
    with typed(hint.partition("serves the file: ")[2], tmp_path) as (model, url):
        assert ask(url, model) == {"predictions": [2.5, 4.5]}
