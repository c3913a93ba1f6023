"""Ops that are not TensorFlow's own: from shared libraries, and from the packages that have them.

TensorFlow registers ops for the process, and for good.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from cloudserve.savedmodel.checks.op_packages import OpPackage, package_of
from cloudserve.savedmodel.graph import read_graph

from ...messages import Message
from ...status import Code
from ..capi import registry
from ..capi.status import OpError
from ..options import library_paths
from ..tensorflow import import_tensorflow
from ..types import LoadError
from .serving_image import ServingImage

VARIABLE = "CLOUDSERVE_OP_LIBRARIES"
"""Names the libraries, comma-separated, where a server is given none."""

_logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class OpSource:
    """Where the ops of a model come from."""

    image: ServingImage | None = None
    """The prebuilt image that is imitated, which has the ops of its own TensorFlow."""
    libraries: tuple[Path, ...] = ()
    """Shared libraries of custom ops; the environment's where none is given."""

    def provide(self, meta_graph: Message, path: Path) -> None:
        """Load the libraries, and import the packages of ops that TensorFlow does not have yet.

        Raises LoadError for an op that the image does not have or cannot run, a library that cannot
        be loaded, and an op whose package is not installed. An op of an unknown package is left for
        TensorFlow to refuse.
        """
        if self.image is not None:
            self.image.check_ops(meta_graph, path)
        with _one_at_a_time:
            for library in self.libraries or library_paths(os.environ.get(VARIABLE, "")):
                _load(library, path)
            for op, package in _missing_ops(meta_graph.graph_def):
                _import(package, op, path)


def _missing_ops(graph_def: Message) -> list[tuple[str, OpPackage]]:
    """Return the ops of other packages that are not registered, with their packages."""
    ops = sorted(read_graph(graph_def).loaded_ops())
    foreign = [(op, package) for op in ops if (package := package_of(op))]
    registered = registry.registered_ops() if foreign else frozenset[str]()
    return [(op, package) for op, package in foreign if op not in registered]


def _load(library: Path, path: Path) -> None:
    try:
        registry.load_library(library)
    except OpError as error:
        message = f"The library of custom ops {library} cannot be loaded: {_reason(error)}"
        raise LoadError(
            Code.FAILED_PRECONDITION,
            message,
            where=str(path),
            hint=f"build it against TensorFlow {registry.version()}, or correct the path",
        ) from error


def _import(package: OpPackage, op: str, path: Path) -> None:
    import_tensorflow(f"{package.project} needs it for the op {op}")
    try:
        importlib.import_module(package.module)
    except ModuleNotFoundError as error:
        if error.name != package.module:
            raise _unusable(package, op, error, path) from error
        raise LoadError(
            Code.NOT_FOUND,
            f"Op type not registered '{op}': it is of {package.project}, which is not installed: "
            f"pip install {package.project}",
            where=str(path),
            hint=f"pip install {package.project}",
        ) from error
    # A package built for another TensorFlow fails in its own way.
    except Exception as error:
        raise _unusable(package, op, error, path) from error
    _logger.info("imported %s for the op %s", package.module, op)


def _unusable(package: OpPackage, op: str, error: Exception, path: Path) -> LoadError:
    return LoadError(
        Code.FAILED_PRECONDITION,
        f"Op type not registered '{op}': it is of {package.project}, which cannot be imported: "
        f"{_reason(error)}",
        where=str(path),
        hint=f"install the {package.project} of this TensorFlow's version",
    )


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else getattr(error, "message", error)
    text = str(said or error) or type(error).__name__
    return text.splitlines()[0]
