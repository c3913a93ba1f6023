"""A model of the project on this machine: its versions as revisions, its git commit."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

from cloudserve.errors import ConflictError, ModelError, UserError
from cloudserve.project import Model
from cloudserve.release.types import Artifact, Revision
from cloudserve.savedmodel import DigestCache, Tree, read_saved_model, read_tree
from cloudserve.savedmodel.checks.servable import check_has_signature
from cloudserve.savedmodel.tree import find_files
from cloudserve.storage.manifest import Origin
from cloudserve.storage.model_source import ModelSource


class LocalModel:
    """The versions below a model's path."""

    def __init__(
        self,
        model: Model,
        digests: DigestCache | None,
        folder: Path,
        source: ModelSource | None = None,
    ) -> None:
        """Take the project's folder, whose commit a release names as its origin."""
        self._model = model
        self._source = source or ModelSource(model)
        self._digests = digests
        self._folder = folder
        self._artifacts: dict[Path, Artifact] = {}

    def read(self, number: int | None) -> tuple[Revision, Path, Artifact]:
        """Read and check a version, the newest by default.

        Raises ModelError for a model that is broken or has no signature, UserError for an unknown
        version.
        """
        number, source = self._source.resolve(number)
        tree = self.tree(source)
        artifact = self._artifacts[source] = self._read_artifact(source, tree)
        return Revision(number, tree.digest), source, artifact

    def unread_bytes(self, number: int | None) -> int:
        """Return the bytes that `read` would have to hash, as their digests are not cached.

        Raises ModelError and UserError as `read` does.
        """
        source = self._source.resolve(number)[1]
        known = self._digests.load(source) if self._digests else {}
        return sum(state.size for state in find_files(source).values() if state not in known)

    def artifact(self, source: Path) -> Artifact:
        """Return the model of a directory as a platform's limits see it, as it was last read."""
        if source not in self._artifacts:
            self._artifacts[source] = self._read_artifact(source, self.tree(source))
        return self._artifacts[source]

    def _read_artifact(self, source: Path, tree: Tree) -> Artifact:
        model = read_saved_model(source, self._model.tags)
        check_has_signature(model)
        return Artifact(
            model.tensorflow_version,
            tree.size,
            len(tree.files),
            source,
            ops=model.loaded_ops,
            kernel_ops=model.kernel_ops,
            needs=model.needs,
            unrestored=model.unrestored,
            tags=self._model.tags,
        )

    def check_is_named(self, revision: Revision) -> None:
        """Raise ConflictError if the model's URL names another version than that of a revision."""
        now = self._source.version_now()
        if now is not None and now.number not in {None, revision.number}:
            raise ConflictError(
                f"the model's path names {now.url} now, and the plan was made for {revision.id}",
                where=self._model.url,
                hint="plan again, or give the alias back to the version",
            )

    def source_of(self, revision: Revision) -> Path:
        """Return the directory of a revision; raises ConflictError when it has other files."""
        current, source, _ = self.read(revision.number)
        if current != revision:
            raise ConflictError(
                f"the model's files are {current.id}, and the plan was made for {revision.id}",
                where=str(source),
                hint="plan again, or bring the files back",
            )
        return source

    def find(self, revision: Revision) -> Path | None:
        """Return the directory of a revision; None if the project does not have its files."""
        try:
            own, source, _ = self.read(revision.number)
        except (UserError, ModelError):
            return None
        return source if own == revision else None

    def origin(self, source: Path, who: str) -> Origin:
        """Return the origin of a release of these files by `who`."""
        commit, dirty = git_state(self._folder)
        wrote = read_saved_model(source, self._model.tags).tensorflow_version
        return Origin(who, wrote, commit, dirty, self._source.registered(source))

    def tree(self, source: Path) -> Tree:
        """Read the files of a directory, with cached digests."""
        return read_tree(source, self._digests)


SECONDS = 10.0
# Without the repository's hooks, and without taking a lock that an editor may wait for.
GIT = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks")

logger = logging.getLogger(__name__)


def git_state(folder: Path) -> tuple[str, bool | None]:
    """Return the commit of the work tree around a folder, and whether tracked files changed.

    Returns ("", None) without a repository, a commit or git, or if git is too slow.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return "", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - constant arguments
            [*GIT, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.debug("git reports nothing about %s: %s", folder, error)
        return None
    return done.stdout.strip()
