"""Report of a model of one file: overview and signatures."""

from __future__ import annotations

from cloudserve.cli.render.models.model import signature_table
from cloudserve.cli.render.report import Report, Table
from cloudserve.hints import printable
from cloudserve.modelfiles.model import FileModel
from cloudserve.plural import counted

_SERVED_BY = "cloudserve serve; Vertex AI, SageMaker and AI Platform take SavedModels"


def model_file_report(model: FileModel, number: int) -> Report:
    """Render a model of one file."""
    rows = [
        ("version", str(number)),
        ("format", model.file.kind.title),
        *model.details,
        ("size", counted(model.size, "byte")),
        ("ops", ", ".join(model.ops) or "none"),
        ("served by", _SERVED_BY),
    ]
    overview = Table(("path", printable(model.file.path)), rows)
    return Report(_document(model, number), (overview, *map(signature_table, model.signatures)))


def _document(model: FileModel, number: int) -> dict[str, object]:
    return {
        "path": printable(model.file.path),
        "version": number,
        "format": model.file.kind.title,
        "size": model.size,
        "signatures": model.signatures,
        "ops": model.ops,
        "details": dict(model.details),
    }
