"""The files of a project's model: a directory, or a copy of those in a bucket or a registry.

A model whose `path` is a URL is only read from its bucket: listed, and downloaded into a model
cache (`CLOUDSERVE_MODEL_CACHE`), which verifies the digests of a published version and the
checksums of all files. A version of a registry (`models:/NAME@ALIAS`) is downloaded once by each
source, because its files may be replaced under its name; equal files are kept once in the cache.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cloudserve import registry
from cloudserve.errors import CloudserveError, ModelError, UserError
from cloudserve.hints import choose_from, printable
from cloudserve.modelfiles.files import find_model_file, resolve_model
from cloudserve.modelfiles.kinds import SUFFIXES, is_model_file
from cloudserve.project import Model
from cloudserve.savedmodel import resolve
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.model_cache import ModelCache, claim_cache
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.model_registry import ModelRegistry, RegisteredModel
from cloudserve.storage.versions import RemoteVersion, find_versions_or_model

ResolveLocal = Callable[[Path, int | None], tuple[int, Path]]
_FILE = "file://"
_IN_VERSION = re.compile(r"([0-9]+/)?[^/]+")


class ModelSource:
    """The versions of one model; it keeps its cache from other processes until it is deleted."""

    def __init__(
        self,
        model: Model,
        environ: Mapping[str, str] | None = None,
        reporter: Reporter = SILENT,
        *,
        is_offline: bool = False,
    ) -> None:
        """Take a model; `is_offline` refuses one whose files are not on this machine."""
        self._model = model
        self._is_offline = is_offline
        self._environ = os.environ if environ is None else environ
        self._reporter = reporter
        self._cache: ModelCache | None = None
        self._release: Callable[[], object] = _nothing
        self._registered: dict[RegisteredModel, Path] = {}

    def resolve(self, number: int | None = None) -> tuple[int, Path]:
        """Return a version's number, the newest by default, and its SavedModel directory.

        Raises ModelError if there is no SavedModel, UserError for an unknown version or a URL that
        no adapter opens, RemoteError if the bucket or the registry cannot be read.
        """
        return self._resolve(number, resolve, ())

    def resolve_any(self, number: int | None = None) -> tuple[int, Path]:
        """Return the same, or the path of a TensorFlow Lite or ONNX file.

        Raises as `resolve`, and ModelError for a folder with several files.
        """
        return self._resolve(number, resolve_model, SUFFIXES)

    def _resolve(
        self, number: int | None, local: ResolveLocal, suffixes: Collection[str]
    ) -> tuple[int, Path]:
        if not self._model.url and not self._model.is_registered:
            return local(self._model.path, number)
        if self._is_offline:
            raise UserError(
                "the model's files are not on this machine, and nothing is read with --offline",
                where=self._model.url,
                hint="run the same command without --offline",
            )
        if self._model.is_registered:
            return self._resolve_registered(number, local)
        if (path := _local_file(self._model.url)) is not None:
            return local(path, number)
        store, base = registry.bucket(self._model.url, self._environ)
        versions = find_versions_or_model(store, base, suffixes)
        if not versions:
            raise self._no_model(store, base)
        chosen, version = self._choose(versions, base, number)
        path = self._cached().get(store, version, reporter=self._reporter)
        with named_by_url(self._model, path):
            file = find_model_file(path) if suffixes else None
        return chosen, file.path if file else path

    def registered(self, source: Path) -> str:
        """Return the URL of the registry's version that a directory is a copy of, or ""."""
        folders = self._registered.items()
        return next((found.url for found, path in folders if source.is_relative_to(path)), "")

    def version_now(self) -> RegisteredModel | None:
        """Return the version that the model's URL names now; None if it is not of a registry."""
        return self._registry.find(self._model.url) if self._model.is_registered else None

    @property
    def _registry(self) -> ModelRegistry:
        return registry.model_registry(self._model.url, self._environ)

    def _resolve_registered(self, number: int | None, local: ResolveLocal) -> tuple[int, Path]:
        found = self._registry.find(self._model.url)
        if found.number is not None and number not in {None, found.number}:
            raise UserError(
                f"the model is version {found.number}, not {number}",
                where=self._model.url,
                hint=f"name the version in its path: {found.url.rpartition('/')[0]}/{number}",
            )
        if found not in self._registered:
            self._reporter.line(f"download {found.url}")
            download = partial(self._registry.download, found.url)
            self._registered[found] = self._cached().keep(download, str(found.number or "model"))
        inner, path = local(self._registered[found], number)
        return found.number or inner, path

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

    def _no_model(self, store: BlobStore, base: str) -> ModelError:
        if not store.exists():
            what, hint = "bucket", "check its name, and the account or the emulator that is asked"
            if self._model.url.startswith("file:"):
                what, hint = "folder", "check its name"
            return ModelError(f"there is no such {what}", where=self._model.url, hint=hint)
        if file := _model_file(store, base):
            return ModelError(
                f"there is no SavedModel, but a TensorFlow Lite or ONNX file: {printable(file)}",
                where=self._model.url,
                hint="`cloudserve serve`, `run` and `inspect` take it; platforms serve SavedModels",
            )
        return ModelError(
            "there is no SavedModel",
            where=self._model.url,
            hint="give the folder that holds saved_model.pb, or the one above its versions",
        )

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


def _local_file(url: str) -> Path | None:
    """Return the model file that a `file://` URL names: as a bucket it would be a folder."""
    path = Path(url.removeprefix(_FILE))
    return path if url.startswith(_FILE) and is_model_file(path) else None


@contextmanager
def named_by_url(model: Model, path: Path) -> Iterator[None]:
    """Let errors in the block name a model's URL where they name `path`, the copy of its files."""
    try:
        yield
    except CloudserveError as error:
        if model.url:
            url = model.url.rstrip("/")
            error.where = error.where and error.where.replace(str(path), url)
            error.hint = error.hint and error.hint.replace(str(path), url)
        raise


def _model_file(store: BlobStore, base: str) -> str:
    """Return the key, below a base path, of a TensorFlow Lite or ONNX file; "" if none is there.

    For a path of such a file it is the file's name.
    """
    key = base.rstrip("/")
    if key.lower().endswith(SUFFIXES) and store.head(key):
        return key.rpartition("/")[2]
    names = (blob.key.removeprefix(base) for blob in store.list(base) if not blob.is_folder)
    files = (name for name in names if name.lower().endswith(SUFFIXES))
    return next((name for name in files if _IN_VERSION.fullmatch(name)), "")


def _nothing() -> None:
    """Release nothing: no cache is in use."""
