"""The uploaded revisions as models, read from their files in the bucket."""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudserve.errors import ModelError
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import read_named
from cloudserve.release.types import Artifact, Revision
from cloudserve.savedmodel import Interface, parse_interface
from cloudserve.savedmodel.checkpoint.variables import INDEX
from cloudserve.savedmodel.checks.graph_needs import graph_needs
from cloudserve.savedmodel.checks.kernel_ops import kernel_ops
from cloudserve.savedmodel.checks.restoring import unrestored_variables
from cloudserve.savedmodel.classes.reader import ReadAsset
from cloudserve.savedmodel.graph import read_graph
from cloudserve.savedmodel.interface import ASSETS
from cloudserve.savedmodel.reader import parse_meta_graph
from cloudserve.storage.contract import BlobStore

FILES = ("saved_model.pb", "saved_model.pbtxt")
"""The forms of the model file that are read, in TensorFlow's order."""


@dataclass(frozen=True, slots=True)
class UploadedModels:
    """The revisions of one model in one bucket."""

    blobs: BlobStore
    layout: Layout
    tags: tuple[str, ...]
    _interfaces: dict[str, Interface] = field(default_factory=dict, compare=False)

    def interface(self, revision: Revision) -> Interface:
        """Read the interface of a revision once: its model file, and the assets with class names.

        Raises ModelError if the files are missing or unreadable.
        """
        if revision.id not in self._interfaces:
            data, name, where = self._model_file(revision)
            interface = parse_interface(data, name, self.tags, where, self._assets(revision))
            self._interfaces[revision.id] = interface
        return self._interfaces[revision.id]

    def artifact(self, revision: Revision) -> Artifact:
        """Return a revision as a platform's limits see it; raises ModelError likewise."""
        data, name, where = self._model_file(revision)
        graph = parse_meta_graph(data, name, self.tags, where)
        manifest = read_named(self.blobs, self.layout, revision.id)
        files = manifest.files if manifest else ()
        has_variables = any(file.path == INDEX for file in files)
        indexed = read_graph(graph.graph_def)
        return Artifact(
            graph.meta_info_def.tensorflow_version,
            sum(file.size for file in files),
            len(files),
            ops=tuple(sorted(indexed.loaded_ops())),
            needs=graph_needs(graph.graph_def, indexed),
            kernel_ops=kernel_ops(graph, has_variables=has_variables),
            unrestored=unrestored_variables(graph, has_variables=has_variables),
        )

    def _model_file(self, revision: Revision) -> tuple[bytes, str, str]:
        folder = self.layout.location(revision).saved_model
        where = f"{self.blobs.url}/{folder}"
        for name in FILES:
            stored = self.blobs.read(folder + name)
            if stored is not None:
                return stored[0], name, where
        raise ModelError(
            f"the files of {revision.id} are not in {self.blobs.url}",
            where=where,
            hint="deploy the version again",
        )

    def _assets(self, revision: Revision) -> ReadAsset:
        folder = self.layout.location(revision).saved_model

        def read(name: str) -> bytes | None:
            stored = self.blobs.read(f"{folder}{ASSETS}/{name}")
            return stored[0] if stored else None

        return read
