"""Base paths in buckets (`gs://`, `s3://`): complete local copies of their versions.

Buckets are listed every few seconds, not at each poll of the source, and only the versions that the
policy chooses are downloaded. A version that cannot be downloaded completely is skipped and tried
again; served versions stay available.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from cloudserve import registry
from cloudserve.errors import CloudserveError, RemoteError
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.model_cache import ModelCache, claim_cache
from cloudserve.storage.versions import RemoteVersion, find_versions

from ..config import ModelConfig
from .rounds import Rounds

SECONDS_BETWEEN_LISTINGS = 10.0

logger = logging.getLogger(__name__)
OpenBucket = Callable[[str, Mapping[str, str]], tuple[BlobStore, str]]
Find = Callable[[BlobStore, str], Mapping[int, RemoteVersion]]


class RemoteBases:
    """The base paths of a server in buckets. For one thread at a time."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        find: Find = find_versions,
        open_bucket: OpenBucket = registry.bucket,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._find = find
        self._open_bucket = open_bucket
        self._clock = clock
        self._cache: ModelCache | None = None
        self._slot: IO[bytes] | None = None
        self._stores: dict[str, tuple[BlobStore, str]] = {}
        self._listed: dict[str, tuple[float, Mapping[int, RemoteVersion]]] = {}
        self._served: dict[str, frozenset[Path]] = {}
        self._rounds: dict[str, Rounds] = {}

    def find(self, model: ModelConfig) -> dict[int, Path]:
        """Return the versions below a model's base path; those that its policy chooses are local.

        Raises OSError if the bucket cannot be listed.
        """
        try:
            versions = dict(self._list(model.base_path))
        except CloudserveError as error:
            raise OSError(errno.EIO, str(error), model.base_path) from error
        paths: dict[int, Path] = {}
        problems: list[str] = []
        while missing := model.policy.choose(versions) - paths.keys():
            number = max(missing)
            try:
                paths[number] = self._get(model.base_path, versions[number])
            except CloudserveError as error:
                problems.append(f"version {number} of {model.name} is not fetched: {error}")
                del versions[number]
        self._rounds.setdefault(model.name, Rounds(logger)).log(problems)
        self._served[model.name] = frozenset(paths.values())
        return {number: paths.get(number, Path(v.prefix)) for number, v in versions.items()}

    def _list(self, url: str) -> Mapping[int, RemoteVersion]:
        now = self._clock()
        when, versions = self._listed.get(url, (-SECONDS_BETWEEN_LISTINGS, {}))
        if now - when < SECONDS_BETWEEN_LISTINGS and url in self._listed:
            return versions
        store, base = self._store(url)
        versions = self._find(store, base)
        if not versions:
            _check_exists(store, base, url)
        self._listed[url] = (now, versions)
        return versions

    def _get(self, url: str, version: RemoteVersion) -> Path:
        store, _ = self._store(url)
        keep = frozenset().union(*self._served.values())
        if self._cache is None:
            self._cache, self._slot = claim_cache(self._environ)
        return self._cache.get(store, version, keep=keep)

    def _store(self, url: str) -> tuple[BlobStore, str]:
        if url not in self._stores:
            self._stores[url] = self._open_bucket(url, self._environ)
        return self._stores[url]

    def close(self) -> None:
        """Release the cache folder for another server."""
        if self._slot is not None:
            self._slot.close()
            self._slot = None


def _check_exists(store: BlobStore, base: str, url: str) -> None:
    """Distinguish a missing base path from one without versions, as for directories."""
    exists = next(iter(store.list(base)), None) is not None
    if not exists and store.head(base) is None:  # a listing omits an empty folder
        raise RemoteError(
            f"there is nothing at {url}",
            where=store.url,
            hint="check the URL: it is the folder of a model, with NUMBER/ folders in it",
        )
