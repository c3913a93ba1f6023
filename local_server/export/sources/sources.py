"""Sources of an export: files of Keras, graphs, SavedModels, or a function of the user's code."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.hints import did_you_mean
from cloudserve.local.model_export import ExportRequest
from cloudserve.project.model_urls import is_url
from cloudserve.savedmodel import is_saved_model, list_versions, resolve
from cloudserve.savedmodel.other_formats import recognize

from ..keras_files import load_keras
from ..running import running_code
from ..signatures.signatures import has_signature
from .graphs import read_graph_source
from .saved_models import read_saved_model_source

_KERAS = frozenset({".keras", ".h5", ".hdf5"})
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_FORMS = (
    "give a .keras or .h5 file, a checkpoint with its .meta file, a frozen graph, a SavedModel, or "
    "MODULE:FUNCTION that returns a Keras model, a tf.Module or a tf.function"
)


def load_source(tf: Any, source: str, request: ExportRequest) -> Any:
    """Return the model of a source: its object, a GraphSource or a SavedModelSource.

    Raises UserError for another kind of source, ModelError if it does not load.
    """
    path = Path(source)
    if is_url(source):
        raise UserError(
            "a source is a file or a directory of this machine, not a URL",
            where=source,
            hint="copy the model here first, then export the copy",
        )
    if path.suffix.lower() in _KERAS:
        objects = _objects(request.custom_objects) if request.custom_objects else {}
        return load_keras(tf, path, objects, trusted=request.trusted)
    if _FUNCTION.fullmatch(source) and not path.exists():
        return _call(source)
    if is_saved_model(path) or list_versions(path):
        return read_saved_model_source(resolve(path)[1], request.tags)
    if graph := read_graph_source(path):
        return graph
    kind, hint = recognize(path)
    text = kind or _contents(path)
    raise UserError(
        f"the source is not a model to export: {text}", where=source, hint=hint or _FORMS
    )


def _contents(path: Path) -> str:
    if path.is_dir():
        return "it is a directory without a model"
    return "it is a file of another kind" if path.exists() else "there is no such file"


def _call(source: str) -> Any:
    """Import a module, from the current directory too, and call its function."""
    module_name, _, path = source.partition(":")
    with _importing_from(Path.cwd()):
        function = _import(module_name, source)
        for name in path.split("."):
            if not hasattr(function, name):
                known = [each for each in dir(function) if not each.startswith("_")]
                raise UserError(f"there is no {name}", where=source, hint=did_you_mean(name, known))
            function = getattr(function, name)
        if not callable(function) or hasattr(function, "signatures") or has_signature(function):
            return function
        with running_code("the function failed", source):
            return function()


def _objects(module_name: str) -> dict[str, Any]:
    """Return the classes and functions of a module, which may be in the current directory."""
    with _importing_from(Path.cwd()):
        module = _import(module_name, module_name)
    return {name: one for name, one in vars(module).items() if callable(one)}


def _import(module_name: str, where: str) -> Any:
    try:
        with running_code("the module cannot be imported", where, ModuleNotFoundError):
            return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"there is no module {error.name}",
            where=where,
            hint=f"run this in the folder of {error.name}.py, or install the module",
        ) from error


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
