"""The TensorFlow Serving in a container image, imitated by the loader.

It restores variables with the restore op alone, so that a model it cannot answer with loads here as
well and fails in TensorFlow's words, where this server would load the object graph. It refuses ops
that its version of TensorFlow does not have, or has no kernel for. Imports neither TensorFlow nor
numpy.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudserve.images.container_images import is_cloudserve, tensorflow_serving_of
from cloudserve.savedmodel.checkpoint.variables import INDEX
from cloudserve.savedmodel.checks.graph_needs import graph_needs
from cloudserve.savedmodel.checks.kernel_ops import kernel_ops
from cloudserve.savedmodel.checks.kernel_table import read_kernel_table
from cloudserve.savedmodel.checks.op_packages import foreign_ops, is_built_in
from cloudserve.savedmodel.checks.op_table import read_table
from cloudserve.savedmodel.graph import read_graph

from ...status import Code
from ..types import LoadError


@dataclass(frozen=True, slots=True)
class ServingImage:
    """An image that a model is loaded for: a platform's prebuilt one, or a user's."""

    tensorflow_version: str = ""
    """Its TensorFlow, such as `2.15`; "" where it is not known."""
    may_bring_ops: bool = False
    """Whether it may have ops beside TensorFlow Serving's: a user's image that nothing is known of.

    Such an image is restored as TensorFlow Serving does all the same: only cloudserve's own server
    is known to load what that cannot, and a rehearsal must not be green where the cloud is red.
    """

    @classmethod
    def of_user(cls, image: str) -> ServingImage | None:
        """Return what an image of the user's loads models as; None for cloudserve's own server."""
        if is_cloudserve(image):
            return None
        version = tensorflow_serving_of(image)
        return cls(version or "", may_bring_ops=version is None)

    def check_ops(self, meta_graph: Any, path: Path) -> None:
        """Raise LoadError in TensorFlow's words for the first op that the image cannot run.

        An op that only a signature's function runs fails the load as well, where TensorFlow Serving
        would refuse the requests alone. A graph that its TensorFlow does not read fails it too.
        Sources: `OpRegistry::LookUpSlow` in tensorflow/core/framework/op.cc, `FindKernelDef` in
        op_kernel.cc.
        """
        if not self.may_bring_ops:
            self._check_registered(meta_graph, path)
            self._check_needs(meta_graph, path)
            self._check_kernels(meta_graph, path)

    def _check_registered(self, meta_graph: Any, path: Path) -> None:
        ops = read_graph(meta_graph.graph_def).loaded_ops()
        foreign = foreign_ops(ops)
        missing = read_table().missing(ops.difference(foreign), self.tensorflow_version)
        lacking = (op for op in foreign if not is_built_in(op, self.tensorflow_version))
        for op in sorted((*missing, *lacking)):
            message = (
                f"Op type not registered '{op}' in binary running on {socket.gethostname()}. Make "
                "sure the Op and Kernel are registered in the binary running in this process."
            )
            raise LoadError(Code.NOT_FOUND, message, where=str(path))

    def _check_needs(self, meta_graph: Any, path: Path) -> None:
        needs = graph_needs(meta_graph.graph_def, read_graph(meta_graph.graph_def))
        if refusal := needs.refusal(self.tensorflow_version):
            raise LoadError(Code.INVALID_ARGUMENT, refusal, where=str(path))

    def _check_kernels(self, meta_graph: Any, path: Path) -> None:
        ops = kernel_ops(meta_graph, has_variables=(path / INDEX).exists())
        # Which machine the offline clouds imitate is not known here: a GPU may run an op.
        for op in read_kernel_table().lacking(ops, self.tensorflow_version, gpu=True):
            message = (
                f"No OpKernel was registered to support Op '{op}' in TensorFlow "
                f"{self.tensorflow_version}"
            )
            raise LoadError(Code.INVALID_ARGUMENT, message, where=str(path))
