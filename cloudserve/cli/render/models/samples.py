"""Report of sample requests to a model."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.cli.render.report import Report, Table
from cloudserve.golden.samples import Sample, to_text
from cloudserve.savedmodel import Signature

_SERVER = "http://localhost:8501/v1/models"
_LONGEST = 400


def samples_report(
    name: str, path: str, signatures: tuple[Signature, ...], samples: tuple[Sample, ...]
) -> Report:
    """Render the requests; JSON has them whole, a table shortens long ones."""
    tables = [
        Table((), (), "\n".join([_head(signature), *_lines(name, path, sample)]))
        for signature, sample in zip(signatures, samples, strict=True)
    ]
    return Report(samples, tuple(tables))


def _head(signature: Signature) -> str:
    inputs = ", ".join(f"{spec.alias}: {spec.type}" for spec in signature.inputs)
    return f"signature {signature.name}({inputs})"


def _lines(name: str, path: str, sample: Sample) -> Iterator[str]:
    if sample.why_none:
        yield f"  no request: {sample.why_none}"
        return
    if sample.rows:
        yield f"  rows        {_short(to_text(sample.rows))}"
    if sample.columns:
        yield f"  columns     {_short(to_text(sample.columns))}"
    body = to_text(sample.rows or sample.columns or {})
    yield f"  REST        curl -d {_short(_quoted(body))} {_SERVER}/{name}:predict"
    yield f"  this model  cloudserve run {path} --json request.json"
    yield f"  SageMaker   {'rows or columns' if sample.rows else 'columns'}, application/json"
    vertex = _short(to_text(sample.vertex)) if sample.vertex else "none: it takes rows"
    yield f"  Vertex AI   {vertex}"


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
