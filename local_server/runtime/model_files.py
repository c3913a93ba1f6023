"""The choice of what loads a version: a SavedModel's session, or the library of a model file.

Source of the first rule: tensorflow_serving/servables/tensorflow/saved_model_bundle_factory.cc
(`prefer_tflite_model`): `model.tflite` in the version's folder, if it exists, or else the
SavedModel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.modelfiles.files import ModelFile, find_model_file
from cloudserve.modelfiles.kinds import Kind, is_model_file

from ..status import Code
from .options import FileOptions, FileRule, SessionOptions
from .session import session_loader
from .types import LoadedModel, LoadError, Ran


def model_loader(
    tags: tuple[str, ...],
    options: SessionOptions,
    files: FileOptions,
    ran: Ran | None = None,
) -> Callable[[Path], LoadedModel]:
    """Return a loader of SavedModels, and of model files by a rule.

    Raises StatusError for a configuration file that cannot be read.
    """
    load_saved_model = session_loader(tags, options, ran)

    def load(path: Path) -> LoadedModel:
        file = _choose(path, files.rule)
        return load_saved_model(path) if file is None else load_file(file, options, files, ran)

    return load


def load_any(path: Path, tags: tuple[str, ...] = ("serve",)) -> LoadedModel:
    """Load a model file, or the SavedModel in a directory. Raises LoadError."""
    options, files = SessionOptions(), FileOptions(FileRule.WITHOUT_SAVED_MODEL)
    return model_loader(tags, options, files)(path)


def load_file(
    file: ModelFile,
    options: SessionOptions,
    files: FileOptions,
    ran: Ran | None = None,
) -> LoadedModel:
    """Load a model file. Raises LoadError."""
    if file.kind is Kind.ONNX:
        from .onnx.model import load_onnx

        return load_onnx(file, options, ran)
    from .lite.model import load_lite

    return load_lite(
        file,
        as_tensorflow_serving=files.rule is FileRule.PREFER_TFLITE,
        interpreters=files.interpreters,
        threads=options.threads[0] or 1,
        ran=ran,
    )


def _choose(path: Path, rule: FileRule) -> ModelFile | None:
    if rule is FileRule.PREFER_TFLITE:
        file = ModelFile(path / Kind.TFLITE.usual_name, Kind.TFLITE)
        return file if is_model_file(file.path) else None
    if rule is FileRule.NEVER:
        return None
    try:
        return find_model_file(path)
    except ModelError as error:
        raise LoadError(
            Code.FAILED_PRECONDITION, error.message, where=error.where, hint=error.hint
        ) from error
