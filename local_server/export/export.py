"""The export of one model: written beside its place, loaded as TensorFlow Serving does, renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.local.model_export import ExportReport, ExportRequest
from cloudserve.outputs import check_outside_models
from cloudserve.savedmodel import list_versions

from ..runtime.tensorflow import import_tensorflow
from .comparison import compare
from .signatures import Served, served_functions
from .sources import load_source, running_code


def export_source(source: str, base: Path, request: ExportRequest) -> ExportReport:
    """Export the model of a file or of a function; see `export_model`.

    Raises UserError for another kind of source, ModelError if it does not load.
    """
    number = _next_number(base, request.version)
    tf = import_tensorflow("exporting a model")
    return _export(tf, load_source(tf, source), base, number, request)


def export_model(model: Any, base: Path, request: ExportRequest) -> ExportReport:
    """Write a Keras model or a `tf.Module` as a version below a base path.

    The version appears atomically. Before, it is loaded as TensorFlow Serving loads it, and its
    answers to random inputs are compared with the model's. Raises UserError if the version exists,
    ConflictError if the base path is in a model, ModelError for a model without known inputs, or if
    an answer differs by more than rounding.
    """
    number = _next_number(base, request.version)
    return _export(import_tensorflow("exporting a model"), model, base, number, request)


def _export(tf: Any, model: Any, base: Path, number: int, request: ExportRequest) -> ExportReport:
    draft = base / f".{number}.{uuid.uuid4().hex}"
    try:
        with running_code("TensorFlow does not export the model", str(base)):
            served = served_functions(tf, model, request.image)
        base.mkdir(parents=True, exist_ok=True)
        with running_code("TensorFlow does not export the model", str(base), OSError):
            _write(tf, model, served, draft)
        compared, ulp = compare(tf, served, draft)
        draft.rename(base / str(number))
    except OSError as error:
        raise UserError(
            f"the version cannot be written: {error.strerror or error}",
            where=str(base),
            hint="name a folder that can be written",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ExportReport(base / str(number), number, tuple(sorted(served)), compared, ulp)


def _next_number(base: Path, version: int | None) -> int:
    check_outside_models(base / "1", "the version")
    existing = list_versions(base)
    number = max(existing, default=0) + 1 if version is None else version
    if number in existing or (base / str(number)).exists():
        raise UserError(
            f"version {number} exists", where=str(base), hint="leave --version out for the next one"
        )
    return number


def _write(tf: Any, model: Any, served: Mapping[str, Served], draft: Path) -> None:
    """Write the signatures with the resources that they use."""
    if isinstance(model, tf.keras.Model):
        archive = tf.keras.export.ExportArchive()
        archive.track(model)
        for name, one in served.items():
            archive.add_endpoint(name, one.function, list(one.specs))
        archive.write_out(str(draft), verbose=False)
        return
    functions = {
        name: tf.function(one.function, input_signature=one.specs).get_concrete_function()
        for name, one in served.items()
    }
    tf.saved_model.save(model, str(draft), signatures=functions)
