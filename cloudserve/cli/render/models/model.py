"""Report of a SavedModel: overview, signatures, files."""

from __future__ import annotations

from typing import Any

from cloudserve.cli.render.report import Report, Table
from cloudserve.hints import printable
from cloudserve.plural import counted
from cloudserve.savedmodel import SavedModel, Signature, TensorSpec, Tree
from cloudserve.savedmodel.checks.kernel_table import versions_that_run
from cloudserve.savedmodel.checks.op_packages import foreign_op_text, foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table, spans_text
from cloudserve.savedmodel.checks.servable import variables_text


def model_report(model: SavedModel, tree: Tree, number: int, where: str) -> Report:
    """Render a SavedModel with its files; `where` is its path, or the URL that it is a copy of."""
    return Report(
        _document(model, tree, number, where),
        (
            _overview(model, tree, number, where),
            *map(signature_table, model.signatures),
            _files(tree),
        ),
    )


def _overview(model: SavedModel, tree: Tree, number: int, where: str) -> Table:
    rows = [
        ("version", str(number)),
        ("written by", f"TensorFlow {model.tensorflow_version or 'unknown'}"),
        ("tags", ", ".join(model.tags)),
        ("size", f"{counted(tree.size, 'byte')} in {counted(len(tree.files), 'file')}"),
        ("digest", f"sha256:{tree.digest}"),
        ("ops", counted(len(model.ops), "kind")),
    ]
    if foreign := foreign_ops(model.ops):
        rows.append(("other ops", ", ".join(map(foreign_op_text, foreign))))
    rows.append(("ops run on", _runs_on(model)))
    if model.missing_assets:
        rows.append(("missing", ", ".join(model.missing_assets)))
    if model.unrestored:
        rows.append(("not restored", variables_text(model.unrestored)))
    if not model.signatures:
        rows.append(("signatures", "none: the model cannot answer requests"))
    return Table(("path", printable(where)), rows)


def _runs_on(model: SavedModel) -> str:
    known = tuple(read_table().versions)
    spans = spans_text(versions_that_run(model.loaded_ops, model.kernel_ops), known)
    return f"TensorFlow {spans}" if spans else f"no TensorFlow from {known[0]} to {known[-1]}"


def signature_table(signature: Signature) -> Table:
    """Render a signature."""
    rows = [("in", *_cells(spec)) for spec in signature.inputs]
    rows += [("out", *_cells(spec)) for spec in signature.outputs]
    method = signature.method_name.rpartition("/")[2] or "no method"
    return Table(
        ("", "NAME", "DTYPE", "SHAPE", "TENSOR"), rows, f"signature {signature.name} ({method})"
    )


def _cells(spec: TensorSpec) -> tuple[str, str, str, str]:
    shape = spec.type.removeprefix(spec.dtype)
    return spec.alias, spec.dtype, shape, spec.tensor_name or ", ".join(spec.components)


def _files(tree: Tree) -> Table:
    rows = [(file.path, f"{file.size:>12,}", file.sha256[:16]) for file in tree.files]
    return Table(("FILE", "       BYTES", "SHA256"), rows)


def _document(model: SavedModel, tree: Tree, number: int, where: str) -> dict[str, Any]:
    return {
        "path": printable(where),
        "version": number,
        "tensorflow_version": model.tensorflow_version,
        "tags": model.tags,
        "available_tags": model.available_tags,
        "size": tree.size,
        "digest": tree.digest,
        "signatures": model.signatures,
        "ops": model.ops,
        "foreign_ops": foreign_ops(model.ops),
        "ops_run_on": versions_that_run(model.loaded_ops, model.kernel_ops),
        "assets": model.assets,
        "missing_assets": model.missing_assets,
        "unrestored": model.unrestored,
        "files": tree.files,
    }
