"""The repair of one SavedModel: the changed copy is written beside its place, then renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.files import new_folder
from cloudserve.hints import choose_from
from cloudserve.local.model_repair import RepairReport, RepairRequest
from cloudserve.outputs import check_outside_models
from cloudserve.plural import counted
from cloudserve.savedmodel import SavedModel, read_saved_model

from ..messages import Message
from ..rewriting.copies import copy_model, place_of, read_model, select, write_model
from ..rewriting.freezing import freeze
from ..rewriting.names import rename
from ..rewriting.pruning import prune_training
from ..rewriting.variables import share_restored_names
from ..runtime.loading.saved_model import nodes
from ..runtime.types import DEFAULT_SIGNATURE
from .comparison import compare


def repair_model(source: Path, target: Path, request: RepairRequest) -> RepairReport:
    """Write a copy of a SavedModel that TensorFlow Serving can answer with.

    The copy appears atomically; before, it is compared with the source by answers to requests made
    from the signatures. Raises UserError if `target` exists, if there is nothing to change, or for
    unknown signatures; ConflictError if `target` is in a model; ModelError if a change is not
    possible, or the answers differ.
    """
    if target.exists() or target.is_symlink():
        raise UserError(
            "the path exists", where=str(target), hint="name a path that does not exist"
        )
    check_outside_models(target, "the copy")
    model = read_saved_model(source, request.tags)
    message = read_model(source)
    changes = list(_change(select(message, model.tags), model, request))
    if not changes and not request.freeze:
        raise _nothing(source)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with new_folder(target.parent), _removed(draft):
            changes += _write(message, model, request, draft)
            if not changes:
                raise _nothing(source)
            with place_of(draft, target):
                compared = compare(source, draft, request)
            draft.rename(target)
    except OSError as error:
        raise UserError(
            f"the copy cannot be written: {error.strerror or error}",
            where=str(target),
            hint="name a path that can be written",
        ) from error
    return RepairReport(target, tuple(changes), *compared)


def _nothing(source: Path) -> UserError:
    return UserError("there is nothing to repair", where=str(source), hint="see `cloudserve check`")


@contextmanager
def _removed(draft: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(message: Message, model: SavedModel, request: RepairRequest, draft: Path) -> list[str]:
    """Write the copy; return the changes that are made in it, of variables into constants."""
    copy_model(model.path, draft, message)
    if not request.freeze:
        return []
    # TensorFlow freezes by nodes of the draft that read the variables, and nothing else needs.
    changes = list(_prune(select(message, model.tags), request))
    frozen = type(message)()
    frozen.CopyFrom(message)
    count = freeze(select(frozen, model.tags), draft, model.path)
    if count:
        changes.append(f"{counted(count, 'variable')} became constants")
        if len(message.meta_graphs) == 1:
            shutil.rmtree(draft / "variables")
    if changes:
        write_model(draft, frozen if count else message)
    return changes


def _change(meta_graph: Message, model: SavedModel, request: RepairRequest) -> Iterator[str]:
    if model.unrestored:
        count = share_restored_names(meta_graph, model.path, model.unrestored)
        yield f"the restore op sets {counted(count, 'variable')} that it left without a value"
    for name, existing in _additions(model, request).items():
        meta_graph.signature_def[name].CopyFrom(meta_graph.signature_def[existing])
        yield f"the signature {name} is a copy of {existing}"
    yield from rename(meta_graph, "inputs", request.inputs)
    yield from rename(meta_graph, "outputs", request.outputs)
    if not request.freeze:
        yield from _prune(meta_graph, request)
    if request.clear_devices:
        placed = [node for node in nodes(meta_graph.graph_def) if node.device]
        for node in placed:
            node.device = ""
        if placed:
            yield f"{counted(len(placed), 'node')} may run on any device"


def _prune(meta_graph: Message, request: RepairRequest) -> Iterator[str]:
    if request.prune and (count := prune_training(meta_graph)):
        yield f"{counted(count, 'node')} removed that neither requests nor a load need"


def _additions(model: SavedModel, request: RepairRequest) -> dict[str, str]:
    """Return the signatures to add: the requested ones; the only one as the default, too."""
    names = [signature.name for signature in model.signatures]
    additions = dict(request.signatures)
    for name, existing in additions.items():
        if existing not in names:
            raise UserError(
                f"there is no signature {existing}", where=str(model.path), hint=choose_from(names)
            )
        if name in names:
            raise UserError(
                f"there is a signature {name}", where=str(model.path), hint="name another one"
            )
    if len(names) == 1 and DEFAULT_SIGNATURE not in {*names, *additions}:
        additions[DEFAULT_SIGNATURE] = names[0]
    return additions
