"""Rules on the files around the graph: assets, versions, variables."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.graph import FILE_NAMES
from cloudserve.check.stored import restored_keys
from cloudserve.check.subject import Rule, Subject
from cloudserve.errors import ModelError
from cloudserve.hints import printable
from cloudserve.savedmodel.checkpoint.checksums import damaged_tensors
from cloudserve.savedmodel.checks.roots import initial_tensors
from cloudserve.savedmodel.files import list_names
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.tree import find_files
from cloudserve.savedmodel.versions import is_saved_model, list_versions

_COPY_AGAIN = "copy or export the model again"
_NAMED = 3


def missing_asset(subject: Subject) -> Iterator[Finding]:
    """Find assets that the graph names and the directory does not have."""
    read = _assets_read_at_load(subject)
    for name in subject.model.missing_assets:
        is_read = name in read
        yield Finding(
            "missing-asset",
            Severity.ERROR if is_read else Severity.WARNING,
            f"assets/{printable(name)} does not exist, and the graph names it",
            "the load fails: it reads the file"
            if is_read
            else "a request that reads the file fails",
            _COPY_AGAIN,
        )


def _assets_read_at_load(subject: Subject) -> frozenset[str]:
    """Return the assets that the loader's ops open, such as the words of a table.

    A path may be an op's input by way of a variable, which an op before it assigns.
    """
    graph = subject.graph
    roots = initial_tensors(subject.meta_graph, has_variables=subject.model.has_variables)
    loaded = tuple(graph.ancestors(roots))
    opening = (node for node in loaded if _opens_files(node, subject))
    inputs = (tensor for node in opening for tensor in node.input)
    read = {node.name for node in graph.ancestors(inputs)}
    return frozenset(file for name, file in subject.asset_nodes.items() if name in read)


def _opens_files(node: Message, subject: Subject) -> bool:
    """Return whether a node opens a file, or calls a function that does."""
    functions = subject.graph.called_by([node])
    return node.op in FILE_NAMES or any(
        inner.op in FILE_NAMES for function in functions for inner in function.node_def
    )


def foreign_file(subject: Subject) -> Iterator[Finding]:
    """Find links that lead out of the directory or in a circle, and entries that are not files."""
    try:
        find_files(subject.model.path)
    except ModelError as error:
        yield Finding(
            "foreign-file",
            Severity.WARNING,
            error.message,
            "a release refuses to upload the directory, and a copy of it is another model",
            error.hint or _COPY_AGAIN,
        )


def ignored_directory(subject: Subject) -> Iterator[Finding]:
    """Find SavedModels beside the versions whose names are not numbers."""
    base = subject.base
    if is_saved_model(base):
        return
    versions = list_versions(base)
    for name in sorted(set(list_names(base)) - {path.name for path in versions.values()}):
        if is_saved_model(base / name):
            is_draft = name.startswith(".")
            yield Finding(
                "ignored-directory",
                Severity.WARNING,
                f"{printable(name)}/ holds a SavedModel, and its name is not a number",
                "TensorFlow Serving ignores it",
                "remove it if no command is running: a killed one leaves such a draft"
                if is_draft
                else f"rename it to a number, such as {max(versions) + 1}",
            )


def checksum(subject: Subject) -> Iterator[Finding]:
    """Find variables whose bytes do not match their checksums.

    TensorFlow Serving reads the variables that the restore op names. tf.saved_model.load in Python
    also finds damage to the object graph, and to a variable of the training.
    """
    if subject.extend is None or not subject.model.has_variables:
        return
    damaged = damaged_tensors(subject.model.path, subject.extend)
    read = restored_keys(subject)
    if names := [name for name in damaged if name in read]:
        yield _checksum(
            Severity.ERROR,
            names,
            "TensorFlow refuses to restore the variables: the load fails with `Checksum does not "
            "match`",
        )
    elif damaged:
        yield _checksum(
            Severity.WARNING,
            list(damaged),
            "TensorFlow Serving does not read them; tf.saved_model.load in Python may, and fails",
        )


def _checksum(severity: Severity, names: list[str], why: str) -> Finding:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    text = f"the values of {', '.join(names[:_NAMED])}{more} do not match their checksums"
    return Finding("checksum", severity, text, why, _COPY_AGAIN)


RULES: tuple[Rule, ...] = (missing_asset, foreign_file, ignored_directory, checksum)
