"""Model files that are not SavedModels, recognized by their content, with the way to export them.

Sources: Keras, "Save, serialize, and export models" (`.keras` is a zip archive with `config.json`);
the HDF5 file format, section II.A (signature); TensorFlow Lite, schema.fbs (file_identifier TFL3);
ONNX and frozen graphs have no signature, only their usual suffixes.
"""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

from cloudserve.savedmodel.files import is_directory, is_file, list_names

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TFLITE = b"TFL3"
_PARENT = "give its directory, or the one above its versions"
_EXPORT = "export the model that it was made from, in Keras with model.export('models/NAME/1')"
_SERVE = f"the platforms run SavedModels: {_EXPORT}; `cloudserve serve` serves the file itself"
_TRAIN = "build the model, restore the checkpoint, and export it: model.export('models/NAME/1')"
_BY_SUFFIX = {
    ".onnx": ("an ONNX model", _SERVE),
    ".pb": ("a graph without signatures", _EXPORT),
    ".pbtxt": ("a graph without signatures", _EXPORT),
    ".index": ("a checkpoint: it has variables and no graph", _TRAIN),
}


def recognize(path: Path) -> tuple[str, str]:
    """Return what a path holds instead of a SavedModel, and what to do; ("", "") if unknown.

    Reads some bytes of a file, and the names in a directory.
    """
    if is_directory(path):
        return _directory(path)
    return _file(path) if is_file(path) else ("", "")


def _directory(path: Path) -> tuple[str, str]:
    names = list_names(path)
    if any(name.endswith(".index") for name in names):
        return "a checkpoint: it has variables and no graph", _TRAIN
    models = [path / name for name in names if _file_kind(path / name)]
    if len(models) == 1:
        return _file(models[0])
    return "", ""


def _file_kind(path: Path) -> str:
    return _file(path)[0] if is_file(path) else ""


def _file(path: Path) -> tuple[str, str]:
    if path.stem == "saved_model" and path.suffix in {".pb", ".pbtxt", ".cpb"}:
        return f"{path.name} is a SavedModel's file", _PARENT
    what, hint = _by_content(path) or _BY_SUFFIX.get(path.suffix.lower(), ("", ""))
    return (f"{path.name} is {what}", hint) if what else ("", "")


def _by_content(path: Path) -> tuple[str, str] | None:
    head = _first_bytes(path)
    if head.startswith(_HDF5):
        return "a Keras model in HDF5", _keras(path)
    if head.startswith(b"PK") and _has_config(path):
        return "a Keras model", _keras(path)
    return ("a TensorFlow Lite model", _SERVE) if head[4:8] == _TFLITE else None


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5))
    except OSError:  # the caller reports that it is no SavedModel
        return b""


def _has_config(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _keras(path: Path) -> str:
    name = path.stem if path.stem.isidentifier() else "NAME"
    return f"export it: cloudserve export {shlex.quote(str(path))} models/{name}"
