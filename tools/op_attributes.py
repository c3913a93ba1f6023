"""Write the table of attributes that ops gained or lost, in `cloudserve/savedmodel/checks`.

    python tools/op_attributes.py       # every version of op_table.VERSIONS; needs what that needs

Prints the number of each version's graphs (`GRAPH_VERSIONS` of graph_needs.py), and whether it
refuses an attribute that the op does not have.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import op_table
from cloudserve.local_server.messages import message_class

from cloudserve.savedmodel import proto
from cloudserve.savedmodel.checks.graph_needs import ATTRIBUTES, ATTRIBUTES_TITLE
from cloudserve.savedmodel.checks.op_table import OpTable, write_table

Attributes = Mapping[str, frozenset[str]]
"""The attributes of each op."""


def dump(folder: Path) -> None:
    """Write the ops of the libraries in a folder beside it, and the refusals of two graphs."""
    library = op_table.open_libraries(folder)
    op_table.write_buffer(folder.parent / "ops", library.TF_GetAllOpList())
    tried = [_refusal(library, consumer=1_000_000), _refusal(library, attribute="absent")]
    (folder.parent / "refusals").write_text("\n".join(tried))


def _refusal(library: ctypes.CDLL, consumer: int = 0, attribute: str = "") -> str:
    """Return the error of an import of a graph with these demands."""
    graph = message_class("tensorflow.GraphDef")()
    node = graph.node.add(name="node", op="NoOp")
    if attribute:
        node.attr[attribute].i = 1
    graph.versions.min_consumer = consumer
    data = graph.SerializeToString()
    for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewImportGraphDefOptions"):
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_NewBufferFromString.restype = ctypes.c_void_p
    library.TF_NewBufferFromString.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    library.TF_GraphImportGraphDef.argtypes = [ctypes.c_void_p] * 4
    library.TF_Message.argtypes = [ctypes.c_void_p]
    library.TF_Message.restype = ctypes.c_char_p
    status = library.TF_NewStatus()
    buffer = library.TF_NewBufferFromString(data, len(data))
    options = library.TF_NewImportGraphDefOptions()
    library.TF_GraphImportGraphDef(library.TF_NewGraph(), buffer, options, status)
    message: bytes = library.TF_Message(status)
    return message.decode("utf-8", "replace").splitlines()[0] if message else "accepted"


def read_ops(data: bytes) -> Attributes:
    """Return the attributes of the ops in an `OpList`."""
    ops = proto.parse(proto.OpList, data).op
    return {op.name: frozenset(one.name for one in op.attr) for op in ops}


def partial(versions: Mapping[str, Attributes]) -> OpTable:
    """Return the attributes that an op has in some versions, and lacks in others."""
    lacking = {
        f"{op}.{name}"
        for op in {op for ops in versions.values() for op in ops}
        for names in [[ops[op] for ops in versions.values() if op in ops]]
        for name in frozenset().union(*names)
        if not all(name in each for each in names)
    }
    return OpTable(
        {
            version: frozenset(f"{op}.{name}" for op in ops for name in ops[op]) & lacking
            for version, ops in versions.items()
        }
    )


def main() -> None:
    """Read every version and write the table."""
    if sys.argv[1:2] == ["--dump"]:
        dump(Path(sys.argv[2]))
        return
    versions = {}
    for version, (_, package) in op_table.VERSIONS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            op_table.dump_wheel(version, package, folder, Path(__file__))
            versions[version] = read_ops((folder / "ops").read_bytes())
            sys.stderr.write(f"{version}: {(folder / 'refusals').read_text()}\n")
    ATTRIBUTES.write_text(write_table(partial(versions), ATTRIBUTES_TITLE), "utf-8")


if __name__ == "__main__":
    main()
