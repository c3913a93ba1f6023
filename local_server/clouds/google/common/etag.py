"""ETags of resources: a digest of the document, compared before an update (AIP-154)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ....status import Code
from .errors import ApiError


def etag(document: Mapping[str, Any]) -> str:
    """Return an ETag that changes with the document (base64, as the schema's `byte` requires)."""
    content = json.dumps(document, sort_keys=True).encode()
    return base64.b64encode(hashlib.sha256(content).digest()[:8]).decode()


def check_etag(document: Mapping[str, Any], expected: str | None) -> None:
    """Refuse an update of an outdated reading; raises ApiError ABORTED.

    An empty ETag is a field that is not set (proto3).
    """
    check_any_etag((document,), expected)


def check_any_etag(documents: Iterable[Mapping[str, Any]], expected: str | None) -> None:
    """Refuse an update of an outdated reading of what is shown as any of these; raises ApiError."""
    if expected and expected not in map(etag, documents):
        raise ApiError(Code.ABORTED, "The etag does not match: the resource has changed.")
