"""Precision and recall of `cloudserve check`: its verdicts beside loads as TensorFlow Serving does.

    python benchmarks/models/findings.py ../shared/models

Every model below a folder is checked and loaded as it is, and with each fault that fits. A model
that does not load is one that check must refuse (recall); one that it refuses must not load, or
have variables that requests miss (precision). Mistakes are printed, and end with status 1.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path

from cloudserve.local_server.messages import message_class
from cloudserve.local_server.runtime.loading.serving_image import ServingImage
from cloudserve.local_server.runtime.session import load_model

from cloudserve.check.check import check_model
from cloudserve.check.finding import Severity
from cloudserve.errors import CloudserveError
from cloudserve.savedmodel import list_versions, read_saved_model
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_ops
from cloudserve.savedmodel.checks.op_table import read_table

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


FAULTS: dict[str, Callable[[Path], None]] = {
    "as it is": lambda _: None,
    "cut graph": lambda folder: cut(folder / GRAPH),
    "empty graph": lambda folder: (folder / GRAPH).open("wb").close(),
    "unknown op": replace_op,
    "cycle": make_cycle,
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


def loads(folder: Path) -> bool:
    """Return whether TensorFlow Serving's loader restores a model."""
    try:
        with closing(load_model(folder, TAGS, image=ServingImage())):
            return True
    except CloudserveError:
        return False


def main(root: Path) -> int:
    """Check all models with all faults; return the exit status."""
    counts = {(truth, verdict): 0 for truth in (True, False) for verdict in (True, False)}
    wrong = 0
    for source in models(root):
        for name, damage in FAULTS.items():
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch, source.parent.name, source.name)
                shutil.copytree(source, folder)
                try:
                    damage(folder)
                except (IndexError, FileNotFoundError, StopIteration):
                    continue  # the fault does not fit the model
                errors = refusals(folder)
                broken = not loads(folder)
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
