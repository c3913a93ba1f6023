"""A model of the project on this machine: its versions as revisions."""

from __future__ import annotations

from pathlib import Path

from cloudserve.errors import ConflictError
from cloudserve.project import Model
from cloudserve.release.nouns import Artifact, Revision
from cloudserve.savedmodel import DigestCache, Tree, read_saved_model, read_tree, resolve
from cloudserve.savedmodel.checks.servable import check_has_signature


class LocalModel:
    """The versions below a model's path."""

    def __init__(self, model: Model, digests: DigestCache | None) -> None:
        self._model = model
        self._digests = digests

    def read(self, number: int | None) -> tuple[Revision, Path, Artifact]:
        """Read and check a version, the newest by default.

        Raises ModelError for a model that is broken or has no signature, UserError for an unknown
        version.
        """
        number, source = resolve(self._model.path, number)
        model, tree = read_saved_model(source, self._model.tags), self.tree(source)
        check_has_signature(model)
        artifact = Artifact(
            model.tensorflow_version,
            tree.size,
            len(tree.files),
            source,
            ops=model.loaded_ops,
            unrestored=model.unrestored,
        )
        return Revision(number, tree.digest), source, artifact

    def source_of(self, revision: Revision) -> Path:
        """Return the directory of a revision; raises ConflictError when it has other files."""
        found, source, _ = self.read(revision.number)
        if found != revision:
            raise ConflictError(
                f"the model's files are {found.id}, and the plan was made for {revision.id}",
                where=str(source),
                hint="plan again, or bring the files back",
            )
        return source

    def tree(self, source: Path) -> Tree:
        """Read the files of a directory, with cached digests."""
        return read_tree(source, self._digests)
