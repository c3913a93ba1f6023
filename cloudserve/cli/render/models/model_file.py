"""Report of a model of one file: overview and signatures."""

from __future__ import annotations

import shlex

from cloudserve.cli.render.models.model import signature_table
from cloudserve.cli.render.report import Report, Table
from cloudserve.hints import printable
from cloudserve.modelfiles.kinds import path_to_serve
from cloudserve.modelfiles.model import FileModel
from cloudserve.plural import counted

_PLATFORMS = "none: Vertex AI, SageMaker and AI Platform take SavedModels"


def model_file_report(model: FileModel, number: int, url: str = "") -> Report:
    """Render a model of one file; `url` is where its bucket has it."""
    where = url or printable(model.file.path)
    rows = [
        ("version", str(number)),
        ("format", model.file.kind.title),
        *model.details,
        ("size", counted(model.size, "byte")),
        ("ops", ", ".join(model.ops) or "none"),
        ("serve it", f"cloudserve serve {shlex.quote(url or str(path_to_serve(model.file.path)))}"),
        ("platforms", _PLATFORMS),
    ]
    overview = Table(("path", where), rows)
    return Report(
        _document(model, number, where), (overview, *map(signature_table, model.signatures))
    )


def _document(model: FileModel, number: int, where: str) -> dict[str, object]:
    return {
        "path": where,
        "version": number,
        "format": model.file.kind.title,
        "size": model.size,
        "signatures": model.signatures,
        "ops": model.ops,
        "details": dict(model.details),
    }
