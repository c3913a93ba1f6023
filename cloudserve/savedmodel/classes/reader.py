"""The vocabularies of a model's string outputs.

A classifier's labels are a constant, a table that is filled from a constant or from an asset, or
numbers as text (`label_vocabulary` of Estimators, `StringLookup` of Keras, `tf.gather` of a list).
Any other output has no vocabulary that can be read without running the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from cloudserve.savedmodel.classes.frames import Frame, main_frame
from cloudserve.savedmodel.graph import node_name, read_graph
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature

ReadAsset = Callable[[str], bytes | None]
"""Returns the content of a file below `assets/`; None if there is none."""

LARGEST = 1_000_000
"""Classes of a numbered vocabulary that are written out."""

_FORWARDS = frozenset(
    {"BroadcastTo", "ExpandDims", "Identity", "IdentityN", "Reshape", "Squeeze", "Tile"}
    | {"Transpose", "StopGradient", "Gather", "GatherV2", "GatherNd"}
    | {"LookupTableFind", "LookupTableFindV2"}
)
"""Ops whose result consists of elements of their first input, or of a table's values."""
_TABLES = frozenset({"HashTable", "HashTableV2", "AnonymousHashTable"})
_FROM_TENSORS = frozenset(
    {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
)
_FROM_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_WHOLE_LINE = -2
"""`value_index` of a table whose values are a file's lines (lookup_ops.cc)."""
_LONGEST_PATH = 200
_STRING = 7


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The classes that a string output can name, in the model's order."""

    signature: str
    output: str
    classes: tuple[str, ...]


def read_vocabularies(
    meta_graph: Message,
    signatures: Iterable[Signature],
    assets: Iterable[Message],
    read_asset: ReadAsset,
) -> tuple[Vocabulary, ...]:
    """Return the vocabularies of the string outputs that have a readable one, sorted.

    `assets` are the MetaGraph's `AssetFileDef`s.
    """
    files = {node_name(asset.tensor_info.name): asset.filename for asset in assets}
    reader = _Reader(main_frame(read_graph(meta_graph.graph_def)), files, read_asset)
    return tuple(
        Vocabulary(signature.name, output.alias, classes)
        for signature in signatures
        if signature.name not in HIDDEN_SIGNATURES
        for output in signature.outputs
        if output.dtype == "string" and output.tensor_name
        if (classes := reader.classes(output.tensor_name))
    )


class _Reader:
    """Follows strings back to the constant or file that they come from."""

    def __init__(self, main: Frame, assets: Mapping[str, str], read_asset: ReadAsset) -> None:
        self._main = main
        self._assets = assets
        self._read_asset = read_asset

    def classes(self, tensor: str) -> tuple[str, ...]:
        """Return the classes that a tensor of the graph can hold; () if they cannot be read."""
        try:
            return self._classes(tensor)
        except (IndexError, ValueError):  # in a damaged graph an op lacks an input
            return ()

    def _classes(self, tensor: str) -> tuple[str, ...]:
        frame, node = self._origin(self._main, tensor)
        if node is None:
            return ()
        if node.op in _TABLES:
            return self._table(node)
        if node.op == "AsString":
            return _numbered(*self._origin(frame, node.input[0]))
        values = _strings(node)
        return values if len(values) > 1 else ()

    def _origin(self, frame: Frame, tensor: str) -> tuple[Frame, Message | None]:
        """Return the node that a tensor's elements come from, through calls and copies."""
        for _ in range(_LONGEST_PATH):
            frame, node = frame.node(tensor)
            if node is None:
                return frame, None
            if node.op in _FORWARDS and node.input:
                tensor = node.input[0]
                continue
            returned = frame.returned(node, tensor)
            if returned is None:
                return frame, node
            frame, tensor = returned
        return frame, None

    def _table(self, table: Message) -> tuple[str, ...]:
        """Return a table's values, from the op that fills it."""
        for frame, node in self._initializers():
            if self._origin(frame, node.input[0])[1] is not table:
                continue
            if node.op in _FROM_TENSORS:
                return _strings(self._origin(frame, node.input[2])[1])
            return self._lines(node, self._origin(frame, node.input[1])[1])
        return ()

    def _initializers(self) -> Iterator[tuple[Frame, Message]]:
        for frame in self._main.walk():
            for node in frame.nodes.values():
                if node.op in _FROM_TENSORS | _FROM_FILES:
                    yield frame, node

    def _lines(self, initializer: Message, path: Message | None) -> tuple[str, ...]:
        name = self._asset(path) if path is not None else None
        if name is None or initializer.attr["value_index"].i != _WHOLE_LINE:
            return ()
        content = self._read_asset(name) if _is_inside(name) else None
        return () if content is None else tuple(map(_text, content.splitlines()))

    def _asset(self, path: Message) -> str | None:
        """Return the asset of a path: a constant, or in TensorFlow 2 a variable that holds it."""
        if path.op != "ReadVariableOp":
            return self._assets.get(path.name)
        variable = node_name(path.input[0])
        assigned = (
            node_name(node.input[1])
            for node in self._main.nodes.values()
            if node.op == "AssignVariableOp" and node_name(node.input[0]) == variable
        )
        return next((self._assets[name] for name in assigned if name in self._assets), None)


def _strings(node: Message | None) -> tuple[str, ...]:
    if node is None or node.op != "Const" or node.attr["value"].tensor.dtype != _STRING:
        return ()
    return tuple(map(_text, node.attr["value"].tensor.string_val))


def _numbered(frame: Frame, node: Message | None) -> tuple[str, ...]:
    """Return the numbers of a `Range` of constants as text."""
    if node is None or node.op != "Range":
        return ()
    limits = [_number(frame.node(tensor)[1]) for tensor in node.input]
    start, limit, delta = limits
    if start is None or limit is None or not delta or abs(limit - start) > LARGEST:
        return ()
    return tuple(map(str, range(start, limit, delta)))


def _number(node: Message | None) -> int | None:
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    values = [*tensor.int_val, *tensor.int64_val]
    return values[0] if len(values) == 1 else None


def _is_inside(name: str) -> bool:
    """Return whether an asset's name stays in `assets/`: the model file is anybody's."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
