"""Keras files as sources: of Keras 3, and of Keras 2 if the package tf-keras is installed.

A Lambda layer is code of Python in the file. Keras 3 refuses it in its safe mode; Keras before
3.11.3 and Keras 2 do not ask for HDF5 files (CVE-2025-9905), so the file is looked at first.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError, UserError

from .running import reason_of

_CODE = ("Lambda", "__lambda__")
_KERAS_2 = "tf_keras"


def load_keras(tf: Any, path: Path, objects: Mapping[str, Any], *, trusted: bool) -> Any:
    """Return the model of a file; `objects` are classes and functions of the user by name.

    Raises UserError if there is no file, ModelError for one with code unless it is trusted, and for
    one that Keras does not load.
    """
    if not path.is_file():
        raise UserError("there is no such file", where=str(path), hint="give a .keras or .h5 file")
    config, version = _read(path)
    if not trusted and _has_code(config):
        raise ModelError(
            "the file has a Lambda layer, whose code would be run",
            where=str(path),
            hint="add --trust-source (trusted=True) if you know who wrote the file",
        )
    is_old = version.startswith("2.")
    keras = _keras_2() if is_old else None
    try:
        return (keras or tf.keras).models.load_model(
            str(path), compile=False, custom_objects=dict(objects), safe_mode=not trusted
        )
    except Exception as error:  # Keras raises whatever the layers' code raises
        hint = (
            "it is a file of Keras 2: pip install tf-keras, of TensorFlow's version"
            if is_old and keras is None
            else "classes of your own: --custom-objects MODULE; otherwise load it where it was "
            "saved, and export it there with model.export('DIRECTORY')"
        )
        raise ModelError(
            f"Keras {(keras or tf.keras).__version__} does not load the file: {reason_of(error)}",
            where=str(path),
            hint=hint,
        ) from error


def is_keras_2(model: Any) -> bool:
    """Return whether a model is one of Keras 2, which TensorFlow may call `tf.keras` or not."""
    return any(
        one.__module__.partition(".")[0] == _KERAS_2 and one.__name__ == "Model"
        for one in type(model).__mro__
    )


def _keras_2() -> Any:
    if importlib.util.find_spec(_KERAS_2) is None:
        return None
    return importlib.import_module(_KERAS_2)


def _has_code(config: Any) -> bool:
    """Return whether a configuration names code, however its JSON writes the name."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif value in _CODE:
            return True
    return False


def _read(path: Path) -> tuple[Any, str]:
    """Return the model's configuration, and the version of Keras; Keras names damage.

    Both Keras take a file for a zip archive by its name too: one of HDF5 can have an archive behind
    it, with another configuration.
    """
    try:
        if str(path).endswith(".keras") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json")), _version(archive)
        import h5py

        with h5py.File(path) as file:
            config = json.loads(_text(file.attrs["model_config"]))
            return config, _text(file.attrs.get("keras_version", ""))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile):
        return {}, ""


def _version(archive: zipfile.ZipFile) -> str:
    try:
        return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (KeyError, TypeError, ValueError):
        return ""


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
