"""Get a released model back out of its bucket: the revision's files, checked by its manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.layout import Layout
from cloudserve.release.nouns import Revision
from cloudserve.release.provider import BlobStore
from cloudserve.storage.events import Observe, ignore
from cloudserve.storage.fetch import fetch
from cloudserve.storage.manifest import check_manifest, read_manifest

SHORTEST = 4
_ID = re.compile(r"v([0-9]+)-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Pulled:
    """A revision in a local directory."""

    revision: Revision
    path: Path
    files: int
    size: int
    changed: bool
    """False when the directory was that revision already."""


def pull(
    blobs: BlobStore, layout: Layout, wanted: str, into: Path, observe: Observe = ignore
) -> Pulled:
    """Make a directory of a revision, named by its id, its number or its digest's beginning.

    Raises UserError when no uploaded revision or several fit, and all that `fetch` raises.
    """
    name = _choose(uploaded(blobs, layout), wanted, f"{layout.model} on {layout.target}")
    where = f"{blobs.url}/{layout.manifests}{name}.json"
    found = blobs.read(f"{layout.manifests}{name}.json")
    if found is None:
        raise ConflictError(f"{name} was deleted meanwhile", where=where)
    manifest = read_manifest(found[0], where)
    revision = Revision(int(name[1:].partition("-")[0]), manifest.digest)
    check_manifest(manifest, manifest.digest, where)
    if revision.id != name:
        raise ConflictError(f"the manifest of {name} is another's", where=where)
    prefix = layout.location(revision).saved_model
    changed = fetch(blobs, prefix, manifest, into, observe=observe)
    return Pulled(revision, into, len(manifest.files), manifest.size, changed)


def uploaded(blobs: BlobStore, layout: Layout) -> tuple[str, ...]:
    """Return the ids of the revisions that are whole in the bucket, by number."""
    names = (
        blob.key.removeprefix(layout.manifests).removesuffix(".json")
        for blob in blobs.list(layout.manifests)
    )
    found = [(int(match[1]), name) for name in names if (match := _ID.fullmatch(name))]
    return tuple(name for _, name in sorted(found))


def _choose(names: tuple[str, ...], wanted: str, where: str) -> str:
    fits = [name for name in names if _is_named(name, wanted)]
    if len(fits) == 1:
        return fits[0]
    raise UserError(
        f"revision `{wanted}` {'fits several' if fits else 'was not uploaded'}",
        where=where,
        hint=f"uploaded: {', '.join(names) or 'nothing'}",
    )


def _is_named(name: str, wanted: str) -> bool:
    number, _, digest = name[1:].partition("-")
    if wanted in {name, number, f"v{number}"}:
        return True
    beginning = wanted.startswith(digest) or digest.startswith(wanted)
    return len(wanted) >= SHORTEST and beginning
