"""Keys as paths: a bucket accepts any key, so names that a directory cannot have are escaped.

`%` becomes `%25`; segments that are not possible in a path are written `%` (empty), `%2E` and
`%2E%2E`, and a first segment `.cloudserve`, the store's own folder, `%2Ecloudserve`. So each path
is one key, and the keys of models are unchanged.
"""

from __future__ import annotations

import re
from pathlib import Path

from cloudserve.errors import RemoteError

OWN = ".cloudserve"
SPECIAL = {"": "%", ".": "%2E", "..": "%2E%2E"}
LONGEST = 255
"""Limit of a name in bytes on Linux file systems."""
_ESCAPE = re.compile(r"%(25|2E)")


def path_of(root: Path, key: str) -> Path:
    """Return the path of a key's object; raises RemoteError if no file can have the key."""
    segments = [SPECIAL.get(part, part.replace("%", "%25")) for part in key.split("/")]
    if segments[0] == OWN:
        segments[0] = f"%2E{OWN[1:]}"
    if "\0" in key or any(len(part.encode()) > LONGEST for part in segments):
        raise RemoteError(f"{key!a} cannot be the name of a file", where=f"file://{root}")
    return root.joinpath(*segments)


def key_of(root: Path, path: Path) -> str:
    """Return the key of a file below the root."""
    return "/".join(_decode(part) for part in path.relative_to(root).parts)


def _decode(segment: str) -> str:
    if segment == SPECIAL[""]:
        return ""
    return _ESCAPE.sub(lambda match: "%" if match[1] == "25" else ".", segment)
