"""The reader of SavedModel directories, which reports any fault in one sentence.

Source: tensorflow/cc/saved_model/{reader,loader}.cc, whose rules are kept: the first MetaGraph with
exactly the requested tags is loaded; the text form is read if there is no binary one;
`asset_file_def` takes precedence over TensorFlow 1's collection `saved_model_assets`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.plural import counted
from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checkpoint.variables import (
    COPY_AGAIN,
    INDEX,
    check_no_shards,
    check_variables,
)
from cloudserve.savedmodel.checks.graph_needs import graph_needs
from cloudserve.savedmodel.checks.kernel_ops import kernel_ops
from cloudserve.savedmodel.checks.restoring import VARIABLE_OPS, unrestored_variables
from cloudserve.savedmodel.files import (
    check_protobuf_size,
    is_directory,
    is_file,
    list_names,
    read_file,
)
from cloudserve.savedmodel.graph import read_graph
from cloudserve.savedmodel.model import SavedModel
from cloudserve.savedmodel.other_formats import recognize
from cloudserve.savedmodel.signature import Signature, read_signature
from cloudserve.savedmodel.versions import MODEL_FILES, list_versions

logger = logging.getLogger(__name__)

_BINARY, _, _CHUNKED = MODEL_FILES
_ASSETS_COLLECTION = "saved_model_assets"
_GIT_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def read_saved_model(path: Path | str, tags: tuple[str, ...] = ("serve",)) -> SavedModel:
    """Read the MetaGraph with exactly these tags, and check that all its files are complete.

    Writes nothing and reads no tensor. Raises ModelError, with place and remedy, if there is no
    SavedModel, no valid protobuf, no MetaGraph with the tags, or variables are incomplete.
    """
    path = Path(path)
    message = _read_message(path)
    graph = _select(message, tags, path)
    assets = tuple(sorted({asset.filename for asset in read_assets(graph, path)}))
    has_variables = check_variables(path)
    if not has_variables:
        _check_needs_no_variables(path, graph)
        check_no_shards(path)
    indexed = read_graph(graph.graph_def)
    return SavedModel(
        path=path,
        tags=_tags(graph),
        available_tags=tuple(map(_tags, message.meta_graphs)),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
        tensorflow_git_version=graph.meta_info_def.tensorflow_git_version,
        all_signatures=read_signatures(graph),
        ops=_ops(graph.graph_def),
        assets=assets,
        missing_assets=_missing_assets(path, assets),
        has_variables=has_variables,
        loaded_ops=tuple(sorted(indexed.loaded_ops())),
        needs=graph_needs(graph.graph_def, indexed),
        kernel_ops=kernel_ops(graph, has_variables=has_variables),
        unrestored=unrestored_variables(graph, has_variables=has_variables),
    )


def read_meta_graph(path: Path, tags: tuple[str, ...]) -> proto.Message:
    """Return the MetaGraph of a directory with exactly these tags; raises ModelError."""
    return _select(_read_message(path), tags, path)


def parse_meta_graph(data: bytes, name: str, tags: tuple[str, ...], where: str) -> proto.Message:
    """Return the MetaGraph with these tags of a model file called `name`; raises ModelError."""
    return _select(_parse(data, name, where), tags, where)


def read_signatures(graph: proto.Message) -> tuple[Signature, ...]:
    """Return all signatures of a MetaGraph, sorted by name."""
    definitions = graph.signature_def
    return tuple(read_signature(name, definitions[name]) for name in sorted(definitions))


def read_assets(graph: proto.Message, where: Path | str) -> tuple[proto.Message, ...]:
    """Return the `AssetFileDef`s of a MetaGraph; raises ModelError if they are damaged."""
    try:
        return tuple(graph.asset_file_def or _collected_assets(graph))
    except proto.DecodeError as error:
        message = f"the collection {_ASSETS_COLLECTION} is damaged"
        raise ModelError(message, where=str(where), hint="export the model again") from error


def _check_directory(path: Path) -> None:
    if is_directory(path):
        return
    if is_file(path):
        hint = "give the directory of a SavedModel (in Keras: model.export('DIRECTORY'))"
        if path.name in MODEL_FILES:
            hint = f"give the directory that holds it: {path.parent}"
        raise ModelError("a file is not a SavedModel directory", where=str(path), hint=hint)
    raise ModelError(
        "there is no such directory",
        where=str(path),
        hint="give the directory that holds saved_model.pb",
    )


def _read_message(path: Path) -> proto.Message:
    _check_directory(path)
    present = list_names(path)
    name = next((name for name in MODEL_FILES if name in present), None)
    if name is None:
        raise _no_saved_model(path)
    if name == _CHUNKED:
        raise ModelError(
            f"the chunked form {_CHUNKED} cannot be read",
            where=str(path),
            hint="export the model in one file, without experimental_image_format",
        )
    check_protobuf_size(path, name)
    return _parse(read_file(path, name), name, path)


def _parse(data: bytes, name: str, path: Path | str) -> proto.Message:
    _check_is_content(data, name, path)
    parse = proto.parse if name == _BINARY else proto.parse_text
    try:
        return parse(proto.SavedModel, data)
    except proto.DecodeError as error:
        raise ModelError(
            f"{name} is not a SavedModel protobuf, or is truncated ({counted(len(data), 'byte')})",
            where=str(path),
            hint="copy or export the model again",
        ) from error


def _no_saved_model(path: Path) -> ModelError:
    versions = list_versions(path)
    if not versions:
        kind, hint = recognize(path)
        return ModelError(
            f"the directory has no {_BINARY}{f': {kind}' if kind else ''}",
            where=str(path),
            hint=hint or "give the directory of a SavedModel (in Keras: model.export('DIRECTORY'))",
        )
    return ModelError(
        f"the directory holds versions ({', '.join(map(str, versions))}), not one SavedModel",
        where=str(path),
        hint=f"give one of them, such as {versions[max(versions)]}",
    )


def _check_is_content(data: bytes, name: str, path: Path | str) -> None:
    if not data:
        raise ModelError(f"{name} is empty", where=str(path), hint="copy or export the model again")
    if data.startswith(_GIT_LFS_POINTER):
        raise ModelError(
            f"{name} is a Git LFS pointer, not the model",
            where=str(path),
            hint="fetch the content: git lfs pull",
        )


def _select(message: proto.Message, tags: tuple[str, ...], path: Path | str) -> proto.Message:
    if not message.meta_graphs:
        raise ModelError(
            "the file holds no MetaGraph, so it is not a SavedModel (a frozen graph, perhaps)",
            where=str(path),
            hint="export the model: model.export('DIRECTORY') in Keras, tf.saved_model.save of a "
            "tf.Module with its signatures",
        )
    for graph in message.meta_graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            return graph
    available = "; ".join(_tags_text(_tags(graph)) for graph in message.meta_graphs)
    raise ModelError(
        f"no MetaGraph has the tags {_tags_text(tags)}",
        where=str(path),
        hint=f"name the tags of an existing one: {available}",
    )


def _tags(graph: proto.Message) -> tuple[str, ...]:
    return tuple(sorted(set(graph.meta_info_def.tags)))


def _tags_text(tags: tuple[str, ...]) -> str:
    return ",".join(tags) or "(none)"


def _ops(graph_def: proto.Message) -> tuple[str, ...]:
    functions = graph_def.library.function
    names = {node.op for node in graph_def.node}
    for function in functions:
        names.update(node.op for node in function.node_def)
    return tuple(sorted(names - {function.signature.name for function in functions}))


def _collected_assets(graph: proto.Message) -> Iterator[proto.Message]:
    if _ASSETS_COLLECTION in graph.collection_def:
        for packed in graph.collection_def[_ASSETS_COLLECTION].any_list.value:
            yield proto.parse(proto.AssetFileDef, packed.value)


def _missing_assets(path: Path, assets: tuple[str, ...]) -> tuple[str, ...]:
    missing = tuple(name for name in assets if not is_file(path / "assets" / name))
    if missing:
        logger.warning("%s: the graph names assets that do not exist: %s", path, ", ".join(missing))
    return missing


def _check_needs_no_variables(path: Path, graph: proto.Message) -> None:
    """Refuse a graph that restores variables although there are none.

    TensorFlow Serving loads such a model (RunRestore in tensorflow/cc/saved_model/loader.cc), and
    its requests fail on uninitialised variables.
    """
    used = VARIABLE_OPS.intersection(node.op for node in graph.graph_def.node)
    if used and graph.saver_def.restore_op_name:
        raise ModelError(
            f"{INDEX} is missing, and the graph has variables to restore",
            where=str(path),
            hint=COPY_AGAIN,
        )
