"""The file of a SavedModel, and what a loader finds in it: ops to run, and what to feed them.

Source: tensorflow/cc/saved_model/{reader,loader,loader_util}.cc, whose choices and words these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from cloudserve.savedmodel.files import MOST_PROTOBUF_BYTES

from ...messages import Message, message_class
from ...status import Code
from ..tensorflow import import_tensorflow
from ..types import LoadError, Tensor

VARIABLES = Path("variables", "variables")
"""The prefix of the checkpoint's files, below the model's folder."""

_BINARY, _TEXT, _CHUNKED = "saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"
_INIT_OP = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS_COLLECTION = "saved_model_assets"


def read_meta_graph(path: Path, tags: Sequence[str]) -> Message:
    """Return the first `MetaGraphDef` with these tags and no others.

    Raises LoadError: NOT_FOUND for a folder without a model and for other tags, DATA_LOSS for a
    file that is none.
    """
    for meta_graph in _read(path).meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    message = (
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To "
        "inspect available tag-sets in the SavedModel, please use the SavedModel CLI: "
        "`saved_model_cli`"
    )
    raise LoadError(Code.NOT_FOUND, message, where=str(path))


def init_op(meta_graph: Message) -> str:
    """Return the node that is run when the variables are restored; "" if there is none."""
    definitions, collections = meta_graph.signature_def, meta_graph.collection_def
    if _INIT_OP in definitions:
        return str(definitions[_INIT_OP].outputs[_INIT_OP].name)
    for name in _INIT_COLLECTIONS:
        if name in collections and collections[name].node_list.value:
            return str(collections[name].node_list.value[0])
    return ""


def asset_feeds(meta_graph: Message, path: Path) -> dict[str, Tensor]:
    """Return what is fed to the tensors of file names: where the files of `assets` lie."""
    return {
        asset.tensor_info.name: string(path / "assets" / asset.filename)
        for asset in _assets(meta_graph)
    }


def string(value: object) -> Tensor:
    """Return a scalar string."""
    scalar: Tensor = np.empty((), object)
    scalar[()] = str(value).encode()
    return scalar


def nodes(graph_def: Message) -> Iterable[Message]:
    """Yield every node of a graph and of its functions."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _read(path: Path) -> Message:
    for name, parse in _FORMS.items():
        if (path / name).is_file():
            return parse(path / name)
    message = (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file "
        f"called `saved_model.pb`)\nSpecified file path: {path}"
    )
    raise LoadError(Code.NOT_FOUND, message, where=str(path))


def _parse_binary(file: Path) -> Message:
    if file.stat().st_size > MOST_PROTOBUF_BYTES:
        raise _unreadable(file, "binary")
    try:
        return message_class("tensorflow.SavedModel").FromString(file.read_bytes())
    except DecodeError as error:
        raise _unreadable(file, "binary") from error


def _parse_text(file: Path) -> Message:
    try:
        text = file.read_text(encoding="utf-8")
        return text_format.Parse(text, message_class("tensorflow.SavedModel")())
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(file, "text") from error


def _parse_chunked(file: Path) -> Message:
    """Put the parts of a model above protobuf's 2 GB together, which only Python's loader can."""
    import_tensorflow(f"{file} is in parts")
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    merged = parse_saved_model(str(file.parent)).SerializeToString()
    return message_class("tensorflow.SavedModel").FromString(merged)


_FORMS: Mapping[str, Any] = {
    _BINARY: _parse_binary,
    _TEXT: _parse_text,
    _CHUNKED: _parse_chunked,
}


def _unreadable(file: Path, form: str) -> LoadError:
    return LoadError(Code.DATA_LOSS, f"Can't parse {file} as {form} proto", where=str(file.parent))


def _assets(meta_graph: Message) -> Iterable[Message]:
    if meta_graph.asset_file_def or _ASSETS_COLLECTION not in meta_graph.collection_def:
        return tuple(meta_graph.asset_file_def)
    asset = message_class("tensorflow.AssetFileDef")
    packed = meta_graph.collection_def[_ASSETS_COLLECTION].any_list.value
    return tuple(asset.FromString(one.value) for one in packed)
