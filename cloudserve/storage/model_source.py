"""The files of a project's model: a directory of this machine, or a copy of a bucket's.

A model whose `path` is a URL is only read from its bucket: listed, and downloaded into a model
cache (`CLOUDSERVE_MODEL_CACHE`), which verifies the digests of a published version and the
checksums of all files.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

from cloudserve import registry
from cloudserve.errors import ModelError, UserError
from cloudserve.hints import choose_from
from cloudserve.project import Model
from cloudserve.savedmodel import resolve
from cloudserve.storage.download.model_cache import ModelCache, claim_cache
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.versions import RemoteVersion, find_versions_or_model


class ModelSource:
    """The versions of one model; it keeps its cache from other processes until it is deleted."""

    def __init__(
        self,
        model: Model,
        environ: Mapping[str, str] | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        self._model = model
        self._environ = os.environ if environ is None else environ
        self._reporter = reporter
        self._cache: ModelCache | None = None
        self._release: Callable[[], object] = _nothing

    def resolve(self, number: int | None = None) -> tuple[int, Path]:
        """Return a version's number, the newest by default, and its SavedModel directory.

        Raises ModelError if there is no SavedModel, UserError for an unknown version or a URL that
        no adapter opens, RemoteError if the bucket cannot be read.
        """
        if not self._model.url:
            return resolve(self._model.path, number)
        store, base = registry.bucket(self._model.url, self._environ)
        versions = find_versions_or_model(store, base)
        if not versions:
            raise ModelError(
                "there is no SavedModel",
                where=self._model.url,
                hint="give the folder that holds saved_model.pb, or the one above its versions",
            )
        chosen, version = self._choose(versions, base, number)
        return chosen, self._cached().get(store, base, version, reporter=self._reporter)

    def _choose(
        self, versions: Mapping[int, RemoteVersion], base: str, number: int | None
    ) -> tuple[int, RemoteVersion]:
        newest = max(versions)
        if number is None:
            return newest, versions[newest]
        is_unnumbered = versions[newest].prefix == base and not base.rstrip("/").endswith(
            f"/{newest}"
        )
        if is_unnumbered:
            return number, versions[newest]
        if number not in versions:
            raise UserError(
                f"there is no version {number}",
                where=self._model.url,
                hint=choose_from(map(str, sorted(versions))),
            )
        return number, versions[number]

    def _cached(self) -> ModelCache:
        if self._cache is None:
            self._cache, lock = claim_cache(self._environ)
            # Commands do not close their sources: the lock ends with the object or the process.
            self._release = weakref.finalize(self, lock.close)
        return self._cache

    def close(self) -> None:
        """Release the cache for other processes."""
        self._cache = None
        self._release()


def _nothing() -> None:
    """Release nothing: no cache is in use."""
