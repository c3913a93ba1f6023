"""The SavedModel in a folder of MLflow's artifacts.

Source: mlflow/tensorflow/__init__.py: the flavor `tensorflow` of the file `MLmodel` names the
folder of a SavedModel, `saved_model_dir`, or has Keras' in `data/model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cloudserve.errors import ModelError
from cloudserve.savedmodel import is_saved_model
from cloudserve.savedmodel.versions import list_versions

_KEYS = ("flavors", "tensorflow", "saved_model_dir")
_KERAS_FOLDER = "data/model"


def saved_model_in(folder: Path, url: str) -> Path:
    """Return the SavedModel, or the base path of versions, in what MLflow keeps.

    Raises ModelError if there is none: a folder beside the artifacts is not one of theirs.
    """
    if is_saved_model(folder) or list_versions(folder):
        return folder
    for place in (_named(folder / "MLmodel", url), _KERAS_FOLDER):
        found = (folder / place).resolve()
        if place and found.is_relative_to(folder.resolve()) and is_saved_model(found):
            return found
    raise ModelError(
        "there is no SavedModel in this model",
        where=url,
        hint="log one: a tf.Module with mlflow.tensorflow.log_model, or the directory of "
        "Keras' model.export with mlflow.log_artifacts",
    )


def _named(file: Path, url: str) -> str:
    """Return the folder that a file `MLmodel` names; "" if it names none."""
    try:
        found: Any = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            "the file MLmodel of this model is not YAML",
            where=url,
            hint="log the model again, with MLflow's own functions",
        ) from error
    for key in _KEYS:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
