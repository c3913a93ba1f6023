"""What this process's TensorFlow has: its version, its ops, and libraries that bring more."""

from __future__ import annotations

from pathlib import Path

from ...messages import message_class
from .buffers import take
from .library import library
from .status import Status


def version() -> str:
    """Return TensorFlow's version: `2.21.0`."""
    text: str = library().TF_Version().decode()
    return text


def registered_ops() -> frozenset[str]:
    """Return the names of all ops that are registered."""
    ops = message_class("tensorflow.OpList").FromString(take(library().TF_GetAllOpList()))
    return frozenset(op.name for op in ops.op)


def load_library(file: Path) -> None:
    """Load a shared library of custom ops, for good. Raises OpError."""
    status = Status()
    # A path without a directory would be looked up where the system keeps libraries.
    library().TF_LoadLibrary(str(file.absolute()).encode(), status.pointer)
    status.check()
