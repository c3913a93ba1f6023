"""Get a released model back out of its bucket: the revision's files, checked by its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.hints import choose_from
from cloudserve.release.planning.resolve import meant
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.uploaded import number_of, read_named, uploaded
from cloudserve.release.types import Revision
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.tree import download_tree
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.manifest import check_manifest


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
    blobs: BlobStore, layout: Layout, wanted: str, into: Path, reporter: Reporter = SILENT
) -> Pulled:
    """Make a directory of a revision, named by its id, its number or its digest's beginning.

    Raises UserError when no uploaded revision or several fit, and all that `fetch` raises.
    """
    name = _choose(blobs, layout, wanted)
    where = f"{blobs.url}/{layout.manifests}{name}.json"
    manifest = read_named(blobs, layout, name)
    if manifest is None:
        raise ConflictError(
            f"{name} was deleted concurrently", where=where, hint="deploy it again, or pull another"
        )
    check_manifest(manifest, manifest.digest, where)
    revision = Revision(number_of(name), manifest.digest)
    if revision.id != name:
        raise ConflictError(
            f"the manifest of {name} is another's", where=where, hint="deploy the model again"
        )
    prefix = layout.location(revision).saved_model
    try:
        changed = download_tree(blobs, prefix, manifest, into, reporter=reporter)
    except (RemoteError, KeyboardInterrupt) as error:
        error.add_note("Run the same command again to continue.")
        raise
    return Pulled(revision, into, len(manifest.files), manifest.size, changed)


def _choose(blobs: BlobStore, layout: Layout, wanted: str) -> str:
    where = f"{layout.model} on {layout.target}"
    names = uploaded(blobs, layout)
    if not names:
        raise UserError(
            f"nothing of {layout.model} was uploaded to {blobs.url}",
            where=where,
            hint="deploy it first, or look at the target's bucket",
        )
    fits = meant(wanted, {name: name.partition("-")[2] for name in names})
    if len(fits) == 1:
        return fits[0]
    raise UserError(
        f"version `{wanted}` of {layout.model} "
        + ("fits several revisions" if fits else "was not uploaded"),
        where=where,
        hint=choose_from(fits or names),
    )
