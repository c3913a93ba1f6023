"""The folders of model caches: a process locks one for as long as it uses models from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

from cloudserve.errors import RemoteError
from cloudserve.files import try_lock
from cloudserve.storage.download.model_cache import ModelCache

FOLDER, BYTES = "CLOUDSERVE_MODEL_CACHE", "CLOUDSERVE_MODEL_CACHE_BYTES"
LIMIT = 20 << 30
"""Maximum size of a cache in bytes, unless CLOUDSERVE_MODEL_CACHE_BYTES is set."""
SLOTS = 100


def claim_cache(environ: Mapping[str, str]) -> tuple[ModelCache, IO[bytes]]:
    """Return the first model cache that no other process uses, and its lock: close it to release.

    Raises RemoteError if all of them are in use.
    """
    configured = environ.get(FOLDER)
    home = environ.get("HOME", "/tmp")  # noqa: S108  a last resort
    base = Path(environ.get("XDG_CACHE_HOME") or Path(home, ".cache"))
    folder = Path(configured) if configured else base / "cloudserve" / "models"
    for slot in (folder / str(number) for number in range(SLOTS)):
        slot.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (slot / ".lock").open("ab")
        if try_lock(lock):
            return ModelCache(slot, int(environ.get(BYTES) or LIMIT)), lock
        lock.close()
    raise RemoteError("too many processes have a model cache here", where=str(folder))
