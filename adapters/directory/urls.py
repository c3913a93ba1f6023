"""The entry point `file` in the group `cloudserve.storage`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cloudserve.errors import UserError
from cloudserve.storage.contract import PartStore

from .storage import DirectoryBlobs


def open_url(url: str, environ: Mapping[str, str]) -> tuple[PartStore, str]:
    """Return the directory in `file:///PATH`, and the empty prefix."""
    del environ  # a directory needs no settings
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise UserError(f"`{url}` is not a local directory", hint="write file:///PATH")
    return DirectoryBlobs(Path(unquote(parts.path))), ""
