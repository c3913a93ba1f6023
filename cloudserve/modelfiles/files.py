"""The discovery of a model of one file, at a path or in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ModelError, UserError
from cloudserve.modelfiles.kinds import Kind, has_usual_file, is_model_file
from cloudserve.savedmodel.files import is_directory, list_names
from cloudserve.savedmodel.versions import is_saved_model, resolve

_NUMBER_IF_UNNAMED = 1


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model of one file."""

    path: Path
    kind: Kind

    @classmethod
    def of(cls, path: Path) -> ModelFile:
        """Return the model file at a path, whose suffix is one of `Kind`."""
        return cls(path, Kind(path.suffix.lower()))


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


def resolve_model(path: Path, number: int | None = None) -> tuple[int, Path]:
    """Return a version's number, and its model file or its SavedModel directory.

    Raises ModelError and UserError as `savedmodel.versions.resolve`.
    """
    if not is_model_file(path) and not has_usual_file(path):
        chosen, folder = resolve(path, number)
        file = find_model_file(folder)
        return chosen, file.path if file else folder
    own = int(path.name) if path.name.isdecimal() else _NUMBER_IF_UNNAMED
    if number not in {None, own}:
        raise UserError(
            f"the model is version {own}, not {number}", where=str(path), hint="leave out --version"
        )
    file = find_model_file(path)
    assert file is not None
    return own, file.path


def model_files(path: Path) -> list[ModelFile]:
    """Return the model file at a path, or those in a folder that has no SavedModel.

    In a folder `model.tflite` and `model.onnx` come before all other names, which are left out.
    """
    if is_model_file(path):
        return [ModelFile.of(path)]
    if not is_directory(path) or is_saved_model(path):
        return []
    files = [path / name for name in list_names(path) if is_model_file(path / name)]
    found = [ModelFile.of(file) for file in files]
    usual = [file for file in found if file.path.name == file.kind.usual_name]
    return usual or found
