"""The discovery of a model of one file, at a path or in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel.files import is_directory, is_file, list_names
from cloudserve.savedmodel.versions import is_saved_model


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


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model of one file."""

    path: Path
    kind: Kind


def find_model_file(path: Path) -> ModelFile | None:
    """Return the model file at a path, or the one in a folder; None if there is none.

    Raises ModelError if the folder has several.
    """
    found = model_files(path)
    if len(found) > 1:
        names = ", ".join(file.path.name for file in found)
        raise ModelError(
            f"the folder has several models: {names}", where=str(path), hint="give one of the files"
        )
    return found[0] if found else None


def model_files(path: Path) -> list[ModelFile]:
    """Return the model file at a path, or those in a folder that has no SavedModel.

    In a folder `model.tflite` and `model.onnx` come before all other names, which are left out.
    """
    if is_model_file(path):
        return [_model_file(path)]
    if not is_directory(path) or is_saved_model(path):
        return []
    files = [path / name for name in list_names(path) if is_model_file(path / name)]
    found = [_model_file(file) for file in files]
    usual = [file for file in found if file.path.name == file.kind.usual_name]
    return usual or found


def has_usual_file(folder: Path) -> bool:
    """Return whether a folder has `model.tflite` or `model.onnx`, and no SavedModel."""
    return not is_saved_model(folder) and any(is_file(folder / kind.usual_name) for kind in Kind)


def is_model_file(path: Path) -> bool:
    """Return whether a path is a file with the suffix of a model of one file."""
    return path.suffix.lower() in {kind.value for kind in Kind} and is_file(path)


def _model_file(path: Path) -> ModelFile:
    return ModelFile(path, Kind(path.suffix.lower()))
