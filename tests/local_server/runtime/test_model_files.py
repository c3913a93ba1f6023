"""The choice between a SavedModel and a model file, and the libraries that are not installed."""

import subprocess
import sys

import numpy as np
import pytest
from cloudserve.local_server.runtime.model_files import load_any, model_loader
from cloudserve.local_server.runtime.options import FileOptions, FileRule, SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError

from tests.model_files import onnx_model, tflite_bytes, write

pytest.importorskip("ai_edge_litert", reason="pip install 'cloudserve[tflite]'")


def loader(rule):
    return model_loader(("serve",), SessionOptions(), FileOptions(rule))


@pytest.fixture
def both(tmp_path, shared_models):
    """Give a version with a SavedModel of x / 2 + 3 and a TensorFlow Lite model of x / 2 + 2."""
    (tmp_path / "1").symlink_to(shared_models / "tfs_half_plus_three" / "123")
    folder = tmp_path / "both"
    folder.mkdir()
    for name in ("saved_model.pb", "variables", "assets"):
        (folder / name).symlink_to(tmp_path / "1" / name)
    write(folder / "model.tflite", tflite_bytes())
    return folder


@pytest.mark.parametrize(
    ("rule", "alias", "answer"),
    [
        (FileRule.NEVER, "x", 4.0),
        (FileRule.WITHOUT_SAVED_MODEL, "x", 4.0),
        (FileRule.PREFER_TFLITE, "serving_default_x", 3.0),
    ],
)
def test_the_file_comes_before_the_saved_model_by_tensorflow_servings_flag_alone(
    both, rule, alias, answer
):
    model = loader(rule)(both)
    (array,) = model.run("serving_default", {alias: np.float32([2.0])}).values()
    assert array.tolist() == [answer]
    model.close()


def test_tensorflow_servings_flag_falls_back_to_the_saved_model(both):
    (both / "model.tflite").unlink()
    model = loader(FileRule.PREFER_TFLITE)(both)
    assert model.run("serving_default", {"x": np.float32([2.0])})["y"].tolist() == [4.0]
    model.close()


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
def test_the_loader_of_the_offline_clouds_takes_saved_models_only(tmp_path, name):
    """Their platforms have no other: `load_model` is what endpoints and containers call."""
    data = tflite_bytes() if name == "model.tflite" else onnx_model().SerializeToString()
    file = write(tmp_path / name, data)
    for path in (tmp_path, file):
        with pytest.raises(LoadError, match="does not appear to contain a SavedModel bundle"):
            load_model(path)


def test_several_files_of_a_version_are_refused(tmp_path):
    for name in ("a.tflite", "b.onnx"):
        write(tmp_path / name, b"x")
    with pytest.raises(LoadError, match=r"the folder has several models: a\.tflite, b\.onnx"):
        load_any(tmp_path)


@pytest.fixture
def without(monkeypatch):
    """Return a function that makes packages seem not to be installed."""

    def hide(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


def test_a_missing_onnxruntime_is_named_with_the_extra(tmp_path, without):
    without("onnxruntime")
    path = write(tmp_path / "m.onnx", onnx_model().SerializeToString())
    with pytest.raises(LoadError, match="needs onnxruntime, which is not installed") as caught:
        load_any(path)
    assert caught.value.hint == "pip install 'cloudserve[onnx]'"


def test_a_missing_interpreter_is_named_with_the_extra(tmp_path, without, monkeypatch):
    from cloudserve.local_server.runtime.lite import library

    from cloudserve.errors import MissingExtraError

    def no_tensorflow(reason):
        raise MissingExtraError(reason, "server")

    without("ai_edge_litert.interpreter")
    monkeypatch.setattr(library, "import_tensorflow", no_tensorflow)
    path = write(tmp_path / "m.tflite", tflite_bytes())
    with pytest.raises(LoadError, match="needs ai-edge-litert, which is not installed") as caught:
        load_any(path)
    assert caught.value.hint == "pip install 'cloudserve[tflite]'"


FALLBACK = """
import sys, warnings
warnings.simplefilter("error")
sys.modules["ai_edge_litert.interpreter"] = None
from pathlib import Path
import numpy as np
from cloudserve.local_server.runtime.model_files import load_any
model = load_any(Path(sys.argv[1]))
print(model.run("serving_default", {"x": np.float32([2, 5])})["y"].tolist())
"""


@pytest.mark.slow
def test_tensorflows_interpreter_answers_without_the_extra(tmp_path):
    path = write(tmp_path / "m.tflite", tflite_bytes())
    command = [sys.executable, "-c", FALLBACK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[3.0, 4.5]\n", done.stderr
