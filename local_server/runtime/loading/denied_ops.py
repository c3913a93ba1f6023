"""Ops that a server does not load: those that read and write files of the machine it runs on.

The list is that of `saved_model_cli scan` (tensorflow/python/tools/saved_model_cli.py,
`_OP_DENYLIST`: ReadFile, WriteFile, PrintV2). PrintV2 counts where it prints to a file, which its
kernel does for an `output_stream` of `file://…` (core/kernels/logging_ops.cc); `tf.print` to
standard error is harmless. Imports neither TensorFlow nor numpy.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cloudserve.errors import UserError

from ...status import Code
from ..types import LoadError
from .saved_model import nodes

_PRINT, _STREAM, _TO_FILE = "PrintV2", "output_stream", b"file:"
PRINT_TO_FILE = f"{_PRINT}=file"
SCANNED = frozenset({"ReadFile", "WriteFile", PRINT_TO_FILE})
_WORDS = {"none": frozenset[str](), "scan": SCANNED}
_OP = re.compile(r"[A-Z][A-Za-z0-9_>]*(?:=file)?")


def read_denied_ops(text: str) -> frozenset[str]:
    """Read `none`, `scan`, or names of ops with commas between them, `scan` among them.

    Raises UserError for what is none of these.
    """
    denied = frozenset[str]()
    for word in filter(None, text.split(",")):
        if word not in _WORDS and not _OP.fullmatch(word):
            raise UserError(
                f"--deny-ops: `{word}` is neither `none` nor `scan` nor the name of an op",
                hint="write names as TensorFlow does, with commas between them: ReadFile,WriteFile",
            )
        denied |= _WORDS.get(word, frozenset({word}))
    return denied


def check_ops(graph: Any, denied: frozenset[str], path: Path) -> None:
    """Raise LoadError for a `GraphDef` with a denied op, in its functions too."""
    if not denied:
        return
    for node in nodes(graph):
        if node.op in denied or (PRINT_TO_FILE in denied and _prints_to_file(node)):
            is_scanned = node.op in SCANNED or node.op == _PRINT
            why = "may read or write files of this machine" if is_scanned else "is denied"
            raise LoadError(
                Code.PERMISSION_DENIED,
                f"the op {node.op} (node {node.name}) of the model's graph {why}: this server does "
                "not load it, by a rule of its own (--deny-ops) and not of the platform; "
                "--deny-ops none allows it",
                where=str(path),
            )


def _prints_to_file(node: Any) -> bool:
    # To read a missing attribute would add it to the graph.
    if node.op != _PRINT or _STREAM not in node.attr:
        return False
    return bool(node.attr[_STREAM].s.startswith(_TO_FILE))
