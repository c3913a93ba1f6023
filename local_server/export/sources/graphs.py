"""Graphs of TensorFlow 1 as sources: a checkpoint with its meta graph, or a frozen graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cloudserve.errors import ModelError, UserError
from cloudserve.local.model_export import TensorNames
from cloudserve.savedmodel.checkpoint.prefix import find_checkpoint
from cloudserve.savedmodel.files import check_protobuf_size, read_file
from cloudserve.savedmodel.signature import PREDICT_METHOD

from ...messages import Message, message_class
from ...rewriting.pruning import TABLE_INITIALIZERS
from ..served import Sample, Served

_FROZEN = frozenset({".pb", ".pbtxt"})


@dataclass(frozen=True, slots=True)
class GraphSource:
    """A graph, with the checkpoint of its variables."""

    path: Path
    meta_graph: Message
    """That of a frozen graph has nothing but the graph."""
    checkpoint: str = ""
    """The prefix of the checkpoint's files; "" if the graph has no variables."""


def read_graph_source(path: Path) -> GraphSource | None:
    """Return the graph at a path, None if there is a source of another kind.

    `path` is the prefix of a checkpoint, one of its files, its folder, or a frozen graph. Raises
    UserError for a checkpoint without a graph, ModelError for a damaged file.
    """
    if prefix := find_checkpoint(path):
        meta = prefix.with_name(f"{prefix.name}.meta")
        if not meta.is_file():
            raise UserError(
                f"the checkpoint has no graph: there is no {meta.name}",
                where=str(path),
                hint="build the model, restore the checkpoint and return it from a function: "
                "cloudserve export MODULE:FUNCTION models/NAME",
            )
        message = _parse(meta, message_class("tensorflow.MetaGraphDef"), "a meta graph")
        return GraphSource(path, message, str(prefix))
    if path.suffix.lower() not in _FROZEN or not path.is_file():
        return None
    meta_graph = message_class("tensorflow.MetaGraphDef")()
    meta_graph.graph_def.CopyFrom(_parse(path, message_class("tensorflow.GraphDef"), "a graph"))
    return GraphSource(path, meta_graph)


def _parse(path: Path, kind: Message, what: str) -> Message:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    check_protobuf_size(path.parent, path.name)
    data = read_file(path.parent, path.name)
    parse: Callable[[bytes], Any] = kind.FromString
    if path.suffix.lower() == ".pbtxt":
        parse = lambda text: text_format.Parse(text.decode(), kind())  # noqa: E731 (one of two)
    try:
        message = parse(data)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, what) from error
    if not getattr(message, "graph_def", message).node:
        raise _damaged(path, what)
    return message


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path.name} is not {what}, or is truncated",
        where=str(path.parent),
        hint="copy or write it again",
    )


class GraphSession:
    """A source's graph in a session of its own: the answers that an export is compared with."""

    def __init__(self, tf: Any, load: Callable[[Any], None]) -> None:
        """Open a session, whose graph and variables `load` sets."""
        self._tf = tf
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tf.compat.v1.Session()
            load(self._session)

    def served(
        self,
        names: TensorNames,
        method: str = PREDICT_METHOD,
        samples: Mapping[str, Sample] = MappingProxyType({}),
    ) -> Served:
        """Return a signature of tensors; raises UserError for one that the graph does not have."""
        specs = tuple(self.spec(alias, tensor) for alias, tensor in names.inputs.items())
        self._check(names.outputs.values())
        return Served(partial(self._run, names), specs, method, samples=samples)

    def _check(self, tensors: Iterable[str]) -> None:
        for tensor in tensors:
            self._find(tensor)

    def spec(self, alias: str, tensor: str) -> Any:
        """Return the `TensorSpec` of a tensor; raises UserError if there is none."""
        found = self._find(tensor)
        return self._tf.TensorSpec(found.shape, found.dtype.base_dtype, alias)

    def _find(self, tensor: str) -> Any:
        try:
            return self._graph.get_tensor_by_name(tensor if ":" in tensor else f"{tensor}:0")
        except (KeyError, ValueError) as error:
            raise UserError(
                f"the graph has no tensor {tensor}", hint="see `cloudserve inspect SOURCE`"
            ) from error

    def info(self, tensor: str) -> bytes:
        """Return the serialized `TensorInfo` of a tensor."""
        build = self._tf.compat.v1.saved_model.utils.build_tensor_info
        with self._graph.as_default():
            info: bytes = build(self._find(tensor)).SerializeToString()
        return info

    def _run(self, names: TensorNames, *tensors: Any) -> dict[str, Any]:
        values = [
            tensor.numpy() for tensor in tensors
        ]  # a session takes no tensors of TensorFlow 2
        found = {alias: self._find(tensor) for alias, tensor in names.outputs.items()}
        feeds = dict(zip(map(self._find, names.inputs.values()), values, strict=True))
        answers: dict[str, Any] = self._session.run(found, feeds)
        return answers

    def close(self) -> None:
        """Release the variables."""
        self._session.close()


def to_tensorflow(tf: Any, meta_graph: Message) -> Any:
    """Return a meta graph as a message of TensorFlow's own pool."""
    return tf.compat.v1.MetaGraphDef.FromString(meta_graph.SerializeToString())


def open_source(tf: Any, source: GraphSource) -> GraphSession:
    """Return a session with all of a source's graph, its variables and tables."""

    def load(session: Any) -> None:
        meta_graph = to_tensorflow(tf, source.meta_graph)
        saver = tf.compat.v1.train.import_meta_graph(meta_graph, clear_devices=True)
        if source.checkpoint and saver is not None:
            saver.restore(session, source.checkpoint)
        session.run([op for op in session.graph.get_operations() if op.type in TABLE_INITIALIZERS])

    return GraphSession(tf, load)
