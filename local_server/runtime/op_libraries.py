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
from typing import Any

from cloudserve.savedmodel.checks.op_packages import OpPackage, package_of
from cloudserve.savedmodel.graph import read_graph

from ..status import Code
from .options import library_paths
from .serving_image import ServingImage
from .types import LoadError

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

    def provide(self, tf: Any, graph_def: Any, path: Path) -> None:
        """Load the libraries, and import the packages of ops that TensorFlow does not have yet.

        Raises LoadError for an op that the image does not have, a library that cannot be loaded,
        and an op whose package is not installed. An op of an unknown package is left for
        TensorFlow to refuse.
        """
        if self.image is not None:
            self.image.check_ops(graph_def, path)
        with _one_at_a_time:
            for library in self.libraries or _from_environment():
                _load(tf, library, path)
            for op in _missing_ops(graph_def):
                if package := package_of(op):
                    _import(package, op, path)


def _missing_ops(graph_def: Any) -> list[str]:
    from tensorflow.python.framework import op_def_registry

    ops = read_graph(graph_def).loaded_ops()
    return sorted(op for op in ops if op_def_registry.get(op) is None)


def _from_environment() -> tuple[Path, ...]:
    return library_paths(os.environ.get(VARIABLE, ""))


def _load(tf: Any, library: Path, path: Path) -> None:
    try:
        # A path without a directory would be looked up where the system keeps libraries.
        tf.load_library(str(library.absolute()))
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        message = f"The library of custom ops {library} cannot be loaded: {_reason(error)}"
        raise LoadError(
            Code.FAILED_PRECONDITION,
            message,
            where=str(path),
            hint=f"build it against TensorFlow {tf.__version__}, or correct the path",
        ) from error


def _import(package: OpPackage, op: str, path: Path) -> None:
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
