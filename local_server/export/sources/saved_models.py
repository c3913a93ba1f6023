"""A SavedModel as the source: its files with other signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cloudserve.local.model_export import TensorNames
from cloudserve.savedmodel import SavedModel, Signature, read_saved_model
from cloudserve.savedmodel.signature import PREDICT_METHOD

from ...messages import Message
from ...rewriting.copies import copy_model, read_model, select
from ...rewriting.variables import share_restored_names
from ..served import Sample, Served
from ..signatures.features import parsed_by, sample
from .graphs import GraphSession
from .loaded import load_objects, loaded_signatures

_SERVE = "serve"


@dataclass(frozen=True, slots=True)
class SavedModelSource:
    """A SavedModel, with its `SavedModel` message."""

    model: SavedModel
    message: Message

    @property
    def meta_graph(self) -> Message:
        """The MetaGraph with the model's tags."""
        return select(self.message, self.model.tags)


def read_saved_model_source(folder: Path, tags: tuple[str, ...]) -> SavedModelSource:
    """Read a SavedModel; raises ModelError if it is damaged or incomplete."""
    return SavedModelSource(read_saved_model(folder, tags), read_model(folder))


def open_saved_model(tf: Any, source: SavedModelSource) -> GraphSession:
    """Return a session of a SavedModel, as TensorFlow 1 loads it."""
    path, tags = str(source.model.path), list(source.model.tags)
    return GraphSession(tf, lambda session: tf.compat.v1.saved_model.load(session, tags, path))


def copied_signatures(
    tf: Any,
    source: SavedModelSource,
    session: GraphSession,
    tensors: Mapping[str, TensorNames],
    names: Mapping[str, str],
) -> dict[str, Served]:
    """Return the signatures of the copy that `write_copy` makes, with the source's answers."""
    served = {}
    for one in source.model.signatures:
        if not any(spec.components for spec in (*one.inputs, *one.outputs)):
            infos = TensorNames(*map(_tensor_names, (one.inputs, one.outputs)))
            make_up = _examples(source.meta_graph.graph_def, one)
            served[one.name] = session.served(infos, one.method_name, make_up)
    if source.model.unrestored:
        # A session of the source has no value for its variables; Python's objects have.
        loaded = load_objects(tf, source.model.path, source.model.tags)
        served = loaded_signatures(loaded)
    served |= {name: session.served(one) for name, one in tensors.items()}
    return served | {new: served[old] for new, old in names.items() if old in served}


def _tensor_names(specs: Iterable[Any]) -> dict[str, str]:
    return {spec.alias: spec.tensor_name for spec in specs}


def _examples(graph_def: Message, signature: Signature) -> dict[str, Sample]:
    """Return what makes up Examples, if that is what the only input takes."""
    if len(signature.inputs) != 1 or signature.inputs[0].dtype != "string":
        return {}
    features = parsed_by(graph_def, signature.inputs[0].tensor_name)
    return {signature.inputs[0].alias: partial(sample, features)} if features else {}


def write_copy(
    source: SavedModelSource,
    session: GraphSession,
    tensors: Mapping[str, TensorNames],
    names: Mapping[str, str],
    folder: Path,
) -> None:
    """Copy a SavedModel with more signatures, and with variables that the restore op sets."""
    message = type(source.message)(saved_model_schema_version=1, meta_graphs=[source.meta_graph])
    meta_graph = message.meta_graphs[0]
    meta_graph.meta_info_def.tags[:] = [_SERVE]
    if source.model.unrestored:
        share_restored_names(meta_graph, source.model.path, source.model.unrestored)
    definitions = meta_graph.signature_def
    for name, one in tensors.items():
        _define(definitions[name], session, one)
    for new, old in names.items():
        if old in definitions:
            definitions[new].CopyFrom(definitions[old])
    copy_model(source.model.path, folder, message)


def _define(definition: Message, session: GraphSession, names: TensorNames) -> None:
    for side, tensors in ((definition.inputs, names.inputs), (definition.outputs, names.outputs)):
        for alias, tensor in tensors.items():
            side[alias].MergeFromString(session.info(tensor))
    definition.method_name = PREDICT_METHOD
