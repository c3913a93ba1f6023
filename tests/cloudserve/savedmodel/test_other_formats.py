"""Files that are not SavedModels are named, with the way to export them."""

import subprocess
import sys
import zipfile

import pytest

from cloudserve.errors import ModelError
from cloudserve.savedmodel.other_formats import recognize
from cloudserve.savedmodel.versions import resolve

EXPORT = "export the model that it was made from, in Keras with model.export('models/NAME/1')"
PLATFORMS = f"the platforms run SavedModels: {EXPORT}; "
UNPACK = "unpack it, and give the directory that holds saved_model.pb, or the one above"
TRAIN = (
    "write a function that builds the model, restores the checkpoint and returns it, and export "
    "that: cloudserve export MODULE:FUNCTION models/NAME"
)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def keras_file(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return path


def test_a_keras_file_comes_with_the_line_that_exports_it(tmp_path):
    path = keras_file(tmp_path / "digits.keras")
    with pytest.raises(ModelError) as caught:
        resolve(path)
    assert caught.value.message.endswith(": digits.keras is a Keras model")
    assert caught.value.hint == f"export it: cloudserve export {path} models/digits"


@pytest.mark.parametrize(
    ("name", "data", "kind", "hint"),
    [
        (
            "m.h5",
            b"\x89HDF\r\n\x1a\n...",
            "m.h5 is a Keras model in HDF5",
            "export it: cloudserve ",
        ),
        (
            "m.bin",
            b"\x1c\0\0\0TFL3",
            "m.bin is a TensorFlow Lite model",
            f"{PLATFORMS}`cloudserve serve` serves the file if it is named ….tflite",
        ),
        ("m.onnx", b"\x08\x08", "m.onnx is an ONNX model", f"{PLATFORMS}this machine serves"),
        (
            "m.tflite",
            b"\x1c\0\0\0TFL3",
            "m.tflite is a TensorFlow Lite model",
            f"{PLATFORMS}this machine serves",
        ),
        ("frozen.pb", b"\n\x10", "frozen.pb is not a graph, or a damaged one", EXPORT),
        ("saved_model.pb", b"", "saved_model.pb is a SavedModel's file", "give its directory, or "),
        (
            "ckpt-1.index",
            b"",
            "a checkpoint: it has variables and no graph",
            TRAIN,
        ),
        ("notes.zip", b"PK\3\4", "notes.zip is a zip archive", UNPACK),
        ("model.tar.gz", b"\x1f\x8b", "model.tar.gz is a compressed file", UNPACK),
        ("notes.txt", b"hello", "", ""),
        ("empty", b"", "", ""),
    ],
)
def test_a_file_is_recognized(tmp_path, name, data, kind, hint):
    result = recognize(write(tmp_path / name, data))
    assert result[0] == kind
    assert result[1].startswith(hint)
    assert bool(result[1]) == bool(kind)


def test_a_folder_with_one_model_file_is_that_model(tmp_path):
    keras_file(tmp_path / "digits.keras")
    write(tmp_path / "notes.txt", b"hello")
    assert recognize(tmp_path)[0] == "digits.keras is a Keras model"


def test_a_folder_with_a_checkpoint_is_a_checkpoint(tmp_path):
    write(tmp_path / "ckpt-1.index", b"")
    write(tmp_path / "checkpoint", b"")
    assert recognize(tmp_path) == ("a checkpoint: it has variables and no graph", TRAIN)


def test_a_path_that_does_not_exist_is_not_recognized(tmp_path):
    assert recognize(tmp_path / "none") == ("", "")


@pytest.mark.slow  # tests/local_server/export has the command itself
def test_the_line_exports_a_real_keras_model(tmp_path):
    make = (
        "import keras; m = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]); "
        "m.save('digits.keras')"
    )
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True, capture_output=True)
    _, hint = recognize(tmp_path / "digits.keras")
    program = f"{sys.executable} -m cloudserve"
    line = hint.removeprefix("export it: ").replace("cloudserve", program, 1)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    assert resolve(tmp_path / "models" / "digits")[0] == 1
