"""Precision and recall of `cloudserve check`: its verdicts beside loads as TensorFlow Serving does.

    python benchmarks/models/findings.py ../shared/models

Every model below a folder, and every one that the tests train, is checked and loaded as it is, and
with each fault that fits. A model that does not load, or whose signature cannot be run, is one that
check must refuse (recall); one that it refuses must be such a model (precision). Mistakes are
printed, and end with status 1.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, redirect_stdout
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from cloudserve.local_server.messages import Message, message_class
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadedModel
from cloudserve.local_server.status import StatusError

from cloudserve.check.check import check_model
from cloudserve.check.finding import Severity
from cloudserve.errors import CloudserveError
from cloudserve.savedmodel import TensorSpec, list_versions, read_saved_model
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

GRAPH, INDEX = Path("saved_model.pb"), Path("variables", "variables.index")
TAGS = ("serve",)


def cut(path: Path) -> None:
    """Remove the second half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def replace_op(folder: Path) -> None:
    """Name an op that no TensorFlow has."""
    message = message_class("tensorflow.SavedModel").FromString((folder / GRAPH).read_bytes())
    nodes = message.meta_graphs[0].graph_def.node
    next(node for node in nodes if node.op in {"Identity", "Placeholder", "Const"}).op = "Absent"
    (folder / GRAPH).write_bytes(message.SerializeToString())


def make_cycle(folder: Path) -> None:
    """Let a node read itself."""
    message = message_class("tensorflow.SavedModel").FromString((folder / GRAPH).read_bytes())
    nodes = message.meta_graphs[0].graph_def.node
    node = next(node for node in nodes if node.input)
    node.input[0] = node.name
    (folder / GRAPH).write_bytes(message.SerializeToString())


def shard(folder: Path) -> Path:
    """Return the first file of variables."""
    return next(folder.glob("variables/variables.data-*-of-*"))


Edit = Callable[[Message], None]


def edited(change: Edit) -> Callable[[Path], None]:
    """Return a fault that changes the MetaGraph."""

    def damage(folder: Path) -> None:
        message = message_class("tensorflow.SavedModel").FromString((folder / GRAPH).read_bytes())
        change(message.meta_graphs[0])
        (folder / GRAPH).write_bytes(message.SerializeToString())

    return damage


def dangle(meta_graph: Message) -> None:
    """Let a node read a node that does not exist."""
    next(node for node in meta_graph.graph_def.node if node.input).input[0] = "absent"


def repeat(meta_graph: Message) -> None:
    """Add a node with the name of another."""
    nodes = meta_graph.graph_def.node
    nodes.add().CopyFrom(nodes[0])


def lose_output(meta_graph: Message) -> None:
    """Let a signature name a tensor that does not exist."""
    (name, *_) = sorted(set(meta_graph.signature_def) - HIDDEN_SIGNATURES) or [""]
    if not name:
        raise IndexError
    outputs = meta_graph.signature_def[name].outputs
    outputs[min(outputs)].name = "absent:0"


def lose_restore(meta_graph: Message) -> None:
    """Let the loader run a restore op that does not exist."""
    if not any(node.op == "RestoreV2" for node in nodes_of(meta_graph)):
        raise IndexError
    meta_graph.saver_def.restore_op_name = "absent"


def place_elsewhere(meta_graph: Message) -> None:
    """Place the graph on a machine of a cluster."""
    for node in meta_graph.graph_def.node:
        node.device = "/job:worker/task:3"


def place_on_gpu(meta_graph: Message) -> None:
    """Place the graph on a GPU, which a loader ignores: not a fault."""
    for node in meta_graph.graph_def.node:
        node.device = "/device:GPU:3"


def restore_another(meta_graph: Message) -> None:
    """Let the restore op read a value that is not stored."""
    for scope in scopes_of(meta_graph):
        named = {node.name: node for node in scope}
        for node in scope:
            if node.op == "RestoreV2":
                values = named[node.input[1].partition(":")[0]].attr["value"].tensor.string_val
                values[0] = b"absent"
                return
    raise IndexError


def scopes_of(meta_graph: Message) -> list[Any]:
    """Return the nodes of the graph, and those of each function."""
    graph = meta_graph.graph_def
    return [graph.node, *(one.node_def for one in graph.library.function)]


def nodes_of(meta_graph: Message) -> Iterator[Message]:
    """Yield all nodes."""
    return chain.from_iterable(scopes_of(meta_graph))


FAULTS: dict[str, Callable[[Path], None]] = {
    "as it is": lambda _: None,
    "cut graph": lambda folder: cut(folder / GRAPH),
    "empty graph": lambda folder: (folder / GRAPH).open("wb").close(),
    "unknown op": replace_op,
    "cycle": make_cycle,
    "dangling input": edited(dangle),
    "node twice": edited(repeat),
    "no output": edited(lose_output),
    "no restore op": edited(lose_restore),
    "placed on a worker": edited(place_elsewhere),
    "placed on a GPU": edited(place_on_gpu),
    "restores another": edited(restore_another),
    "no shard": lambda folder: shard(folder).unlink(),
    "cut shard": lambda folder: cut(shard(folder)),
    "changed variable": lambda folder: flip(shard(folder)),
    "cut index": lambda folder: cut(folder / INDEX),
}


def models(root: Path) -> Iterator[Path]:
    """Yield the SavedModels below a folder."""
    for base in sorted(path for path in root.iterdir() if path.is_dir()):
        yield from list_versions(base).values()


def refusals(folder: Path) -> list[str]:
    """Return the errors of a check for the installed TensorFlow."""
    report = check_model(folder, int(folder.name), folder, TAGS)
    errors = [one.text for one in report.findings if one.severity is Severity.ERROR]
    if not report.is_readable:
        return errors
    ops = frozenset(read_saved_model(folder).loaded_ops)
    version = ".".join(metadata.version("tensorflow").split(".")[:2])
    missing = {
        *read_table().missing(ops - frozenset(foreign_ops(ops)), version),
        *read_kernel_table().lacking(read_saved_model(folder).kernel_ops, version, gpu=False),
    }
    return [*errors, *(f"TensorFlow {version} cannot run the op {op}" for op in sorted(missing))]


def works(folder: Path) -> bool:
    """Return whether TensorFlow Serving's loader restores a model, and each signature can be run.

    A request that the model refuses for its values is not a fault of the model.
    """
    try:
        with closing(load_model(folder, TAGS, image=ServingImage())) as model:
            return not any(map(is_unable, refused(model, folder)))
    except CloudserveError:
        return False


def refused(model: LoadedModel, folder: Path) -> Iterator[str]:
    """Yield the errors of requests to each signature, made up from it."""
    for signature in read_saved_model(folder).signatures:
        feeds = {spec.alias: made_up(spec) for spec in signature.inputs}
        try:
            model.run(signature.name, feeds)
        except StatusError as error:
            yield str(error)


def made_up(spec: TensorSpec) -> Any:
    """Return an array that fits an input; texts are no Examples."""
    sizes = [1 if size is None else size for size in spec.shape or ()]
    if spec.dtype == "string":
        return np.full(sizes or [1], b"", object)
    return np.zeros(sizes or [1, 1], spec.dtype.removesuffix("_ref"))


def is_unable(error: str) -> bool:
    """Return whether an error is about the graph or its variables, not about a request's values."""
    return any(text in error for text in UNABLE)


UNABLE = (
    "was not found in the Graph",
    "Could not find variable",
    "uninitialized value",
    "is not defined",
    "Cannot assign a device",
    "No OpKernel was registered",
)


def main(root: Path) -> int:
    """Check all models with all faults; return the exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for what the tests train
    from trained import train

    with tempfile.TemporaryDirectory() as trained:
        with redirect_stdout(io.StringIO()):  # the exports' lines
            sources = [*models(root), *train(Path(trained))]
        return measure(sources)


def measure(sources: Iterable[Path]) -> int:
    """Print precision and recall; return the exit status."""
    counts = {(truth, verdict): 0 for truth in (True, False) for verdict in (True, False)}
    wrong = 0
    for source in sources:
        for name, damage in FAULTS.items():
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch, source.parent.name, source.name)
                shutil.copytree(source, folder)
                try:
                    damage(folder)
                except (IndexError, FileNotFoundError, StopIteration):
                    continue  # the fault does not fit the model
                errors = refusals(folder)
                broken = not works(folder)
                counts[broken, bool(errors)] += 1
                if broken != bool(errors):
                    wrong += 1
                    print(f"{source.parent.name}/{source.name}, {name}: {errors or 'no error'}")
    found, missed, false = counts[True, True], counts[True, False], counts[False, True]
    print(f"{sum(counts.values())} models, {found + missed} of them broken")
    print(f"precision {found / max(found + false, 1):.3f}")
    print(f"recall {found / max(found + missed, 1):.3f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
