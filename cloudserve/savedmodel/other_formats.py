"""Model files that are not SavedModels, recognized by their content, with the way to export them.

Sources: Keras, "Save, serialize, and export models" (`.keras` is a zip archive with `config.json`);
the HDF5 file format, section II.A (signature); TensorFlow Lite, schema.fbs (file_identifier TFL3);
ONNX and frozen graphs have no signature, only their usual suffixes.
"""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checkpoint.prefix import find_checkpoint
from cloudserve.savedmodel.files import (
    check_protobuf_size,
    is_directory,
    is_file,
    list_names,
    read_file,
)
from cloudserve.savedmodel.graph_ends import Ends, find_ends

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TFLITE = b"TFL3"
_PARENT = "give its directory, or the one above its versions"
_EXPORT = "export the model that it was made from, in Keras with model.export('models/NAME/1')"
_PLATFORMS = f"the platforms run SavedModels: {_EXPORT}"
_SERVED = frozenset({".onnx", ".tflite"})
"""The suffixes by which `cloudserve serve` knows a file."""
_TRAIN = (
    "write a function that builds the model, restores the checkpoint and returns it, and export "
    "that: cloudserve export MODULE:FUNCTION models/NAME"
)
_NO_GRAPH = "a checkpoint: it has variables and no graph"
_GRAPHS = frozenset({".pb", ".pbtxt"})
_OBJECT = (
    "a Python object",
    "export it from Python as ONNX, which `cloudserve serve` serves: skl2onnx for scikit-learn",
)
_TORCH = ("a PyTorch model", "export it with torch.onnx.export: `cloudserve serve` serves ONNX")
_UNPACK = "unpack it, and give the directory that holds saved_model.pb, or the one above"
_ARCHIVES = {
    b"BZh": "a compressed file",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a compressed file",
    b"\x28\xb5\x2f\xfd": "a compressed file",
    b"\xfd7zXZ": "a compressed file",
}
"""The first bytes of archives: of bzip2, zip, gzip, Zstandard, xz."""
_BY_SUFFIX = {
    ".joblib": _OBJECT,
    ".pb": ("not a graph, or a damaged one", _EXPORT),
    ".pbtxt": ("not a graph, or a damaged one", _EXPORT),
    ".pickle": _OBJECT,
    ".pkl": _OBJECT,
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".tar": ("an archive", _UNPACK),
}


def recognize(path: Path) -> tuple[str, str]:
    """Return what a path holds instead of a SavedModel, and what to do; ("", "") if unknown.

    Reads some bytes of a file, and the names in a directory.
    """
    if prefix := find_checkpoint(path):
        return _checkpoint(prefix)
    if is_directory(path):
        return _directory(path)
    return _file(path) if is_file(path) else ("", "")


def _directory(path: Path) -> tuple[str, str]:
    names = list_names(path)
    if any(name.endswith(".index") for name in names):
        return _NO_GRAPH, _TRAIN
    models = [path / name for name in names if _file_kind(path / name)]
    if len(models) == 1:
        return _file(models[0])
    return "", ""


def _file_kind(path: Path) -> str:
    return _file(path)[0] if is_file(path) else ""


def _file(path: Path) -> tuple[str, str]:
    if path.stem == "saved_model" and path.suffix in {".pb", ".pbtxt", ".cpb"}:
        return f"{path.name} is a SavedModel's file", _PARENT
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    what, hint = _by_content(path) or by_suffix or _archive(path)
    return (f"{path.name} is {what}", hint) if what else ("", "")


def _archive(path: Path) -> tuple[str, str]:
    head = _first_bytes(path)
    found = next((what for first, what in _ARCHIVES.items() if head.startswith(first)), "")
    return found, _UNPACK if found else ""


def _by_content(path: Path) -> tuple[str, str] | None:
    head = _first_bytes(path)
    if head.startswith(_HDF5):
        return "a Keras model in HDF5", _command(path)
    if head.startswith(b"PK") and _has_config(path):
        return "a Keras model", _command(path)
    if head[4:8] == _TFLITE:
        return "a TensorFlow Lite model", _serve(path)
    if path.suffix.lower() == ".onnx":
        return "an ONNX model", _serve(path)
    return _graph(path) if path.suffix.lower() in _GRAPHS else None


def _checkpoint(prefix: Path) -> tuple[str, str]:
    meta = prefix.with_name(f"{prefix.name}.meta")
    if not is_file(meta):
        return _NO_GRAPH, _TRAIN
    message = _parse(meta, proto.MetaGraphDef)
    if message is None or not message.graph_def.node:
        return f"a checkpoint, whose graph {meta.name} is damaged", _TRAIN
    return "a checkpoint with its graph", _export(prefix, find_ends(message.graph_def))


def _graph(path: Path) -> tuple[str, str] | None:
    message = _parse(path, proto.GraphDef)
    if message is None or not all(node.name and node.op for node in message.node):
        return None
    if not message.node:
        return None
    return "a graph without signatures", _export(path, find_ends(message))


def _parse(path: Path, kind: proto.Message) -> proto.Message | None:
    try:
        check_protobuf_size(path.parent, path.name)
        parse = proto.parse_text if path.suffix == ".pbtxt" else proto.parse
        return parse(kind, read_file(path.parent, path.name))
    except (ModelError, proto.DecodeError):
        return None  # the caller names the file


def _export(path: Path, ends: Ends) -> str:
    """Return the command that exports a graph, with all tensors that it proposes."""
    flags = [f"--inputs {shlex.quote(f'{name}={tensor}')}" for name, tensor in ends.inputs.items()]
    flags += [
        f"--outputs {shlex.quote(f'{name}={tensor}')}" for name, tensor in ends.outputs.items()
    ]
    if not ends.inputs or not ends.outputs:
        flags = ["--inputs NAME=TENSOR --outputs NAME=TENSOR"]
    return " ".join([f"{_command(path)}", *flags])


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


def _serve(path: Path) -> str:
    if path.suffix.lower() not in _SERVED:
        return f"{_PLATFORMS}; `cloudserve serve` serves the file if it is named ….tflite"
    return f"{_PLATFORMS}; this machine serves the file: cloudserve serve {shlex.quote(str(path))}"


def _command(path: Path) -> str:
    stem = path.name.partition(".")[0]
    name = stem if stem.isidentifier() else "NAME"
    return f"export it: cloudserve export {shlex.quote(str(path))} models/{name}"
