"""The aliases of model versions: each belongs to one version of its model."""

from __future__ import annotations

from collections.abc import Sequence

from ..resources import Document
from .records import Records


def move_aliases(
    records: Records, version: Document, added: Sequence[str], removed: Sequence[str]
) -> Document:
    """Add aliases to a version, remove others, and take the added ones from other versions."""
    for other in records.versions(version["name"]):
        if other["versionId"] == version["versionId"]:
            kept = [a for a in other.get("versionAliases", ()) if a not in removed]
            other["versionAliases"] = list(dict.fromkeys([*kept, *added]))
            version = other
        elif not set(added) & set(other.get("versionAliases", ())):
            continue
        else:
            other["versionAliases"] = [a for a in other["versionAliases"] if a not in added]
        put_changed(records, other)
    return version


def put_changed(records: Records, version: Document) -> None:
    """Write a version with a new update time."""
    if not version.get("versionAliases"):
        version.pop("versionAliases", None)
    now = records.now()
    records.put_version(version | {"updateTime": now, "versionUpdateTime": now})
