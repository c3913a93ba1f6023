"""Formats of models of one file, told by their names: for commands that open TensorFlow first.

Nothing of `savedmodel` is imported, whose protobuf would delay that.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")


class Kind(Enum):
    """A format of models of one file; the value is its suffix."""

    TFLITE = ".tflite"
    ONNX = ".onnx"

    @property
    def title(self) -> str:
        """Return the format's name, for texts."""
        return "TensorFlow Lite" if self is Kind.TFLITE else "ONNX"

    @property
    def usual_name(self) -> str:
        """Return the name of such a file in a version directory: `model.tflite`, `model.onnx`."""
        return f"model{self.value}"


SUFFIXES = tuple(kind.value for kind in Kind)


def is_model_file(path: Path) -> bool:
    """Return whether a path is a file with the suffix of a model of one file."""
    return path.suffix.lower() in SUFFIXES and _is_file(path)


def has_usual_file(folder: Path) -> bool:
    """Return whether a folder has `model.tflite` or `model.onnx`, and no SavedModel."""
    if any(_is_file(folder / name) for name in _SAVED_MODELS):
        return False
    return any(_is_file(folder / kind.usual_name) for kind in Kind)


def has_files_only(path: Path) -> bool:
    """Return whether a path has models of one file only: itself, or every version below it."""
    if is_model_file(path):
        return True
    try:
        versions = [Path(entry.path) for entry in os.scandir(path) if entry.name.isdecimal()]
    except (OSError, ValueError):  # a missing folder, or an impossible name, has no version
        versions = []
    return all(map(has_usual_file, versions or [path]))


def path_to_serve(file: Path) -> Path:
    """Return what to give to `cloudserve serve`: the base path of a file, its folder, or itself.

    A folder gives its name to the model, and a base path the number to the version.
    """
    if file.name not in {kind.usual_name for kind in Kind} or not has_usual_file(file.parent):
        return file
    folder = file.parent
    return folder.parent if folder.name.isdecimal() else folder


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on names that are too long)
