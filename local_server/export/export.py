"""The export of one model: written beside its place, loaded as TensorFlow Serving does, renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError
from cloudserve.files import new_folder
from cloudserve.local.model_export import ExportReport, ExportRequest
from cloudserve.outputs import check_outside_models
from cloudserve.savedmodel import list_versions

from ..rewriting.copies import place_of
from ..runtime.tensorflow import import_tensorflow
from .checking import check_draft
from .comparison import compare
from .plan import plan_export
from .running import full_disk, running_code
from .sources.sources import load_source


def export_source(source: str, base: Path, request: ExportRequest) -> ExportReport:
    """Export the model of a file or of a function; see `export_model`.

    Raises UserError for another kind of source, ModelError if it does not load.
    """
    number = _next_number(base, request.version)
    tf = import_tensorflow("exporting a model")
    return _export(tf, load_source(tf, source, request), base, number, request)


def export_model(model: Any, base: Path, request: ExportRequest) -> ExportReport:
    """Write a Keras model or a `tf.Module` as a version below a base path.

    The version appears atomically. Before, it is loaded as TensorFlow Serving loads it, and its
    answers to random inputs are compared with the model's. Raises UserError if the version exists,
    ConflictError if the base path is in a model, ModelError for a model without known inputs, for
    one that no TensorFlow Serving would answer with, or if an answer differs by more than rounding.
    """
    number = _next_number(base, request.version)
    return _export(import_tensorflow("exporting a model"), model, base, number, request)


def _export(tf: Any, model: Any, base: Path, number: int, request: ExportRequest) -> ExportReport:
    workspace = base / f".{number}.{uuid.uuid4().hex}"
    draft = workspace / "version"
    try:
        with new_folder(base), _removed(workspace), ExitStack() as opened:
            how = " with an open batch" if request.open_batch else ""
            with running_code(f"TensorFlow does not export the model{how}", str(base), OSError):
                plan = plan_export(tf, model, request, workspace / "graph", opened)
                plan.write(draft)
            with place_of(draft, base / str(number)):
                warnings = check_draft(draft, number, plan.served)
                compared, ulp = compare(tf, plan.served, draft)
            _appear(draft, base, number)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"the version cannot be written: {reason}",
            where=str(base),
            hint="make room, or name another folder"
            if full_disk(reason)
            else "name a folder that can be written",
        ) from error
    path, names = base / str(number), tuple(sorted(plan.served))
    return ExportReport(path, number, names, compared, ulp, warnings)


def _appear(draft: Path, base: Path, number: int) -> None:
    """Rename a version into place; raises UserError if another export was first."""
    try:
        draft.rename(base / str(number))
    except OSError as error:
        if not (base / str(number)).exists():
            raise
        raise _exists(base, number) from error


def _exists(base: Path, number: int) -> UserError:
    return UserError(
        f"version {number} exists", where=str(base), hint="leave --version out for the next one"
    )


@contextmanager
def _removed(workspace: Path) -> Iterator[None]:
    workspace.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _next_number(base: Path, version: int | None) -> int:
    check_outside_models(base / "1", "the version")
    existing = list_versions(base)
    number = max(existing, default=0) + 1 if version is None else version
    if number in existing or (base / str(number)).exists():
        raise _exists(base, number)
    return number
