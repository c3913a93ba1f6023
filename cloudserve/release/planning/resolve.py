"""The resolution of a revision's name: its id, its number or a prefix of its digest."""

from __future__ import annotations

from collections.abc import Mapping

SHORTEST = 4
"""The digits of a digest that name a revision, at least; as git's shortest."""


def meant(wanted: str, digests: Mapping[str, str]) -> list[str]:
    """Return the ids that a name fits: `2`, `v2`, an id or the beginning of a digest.

    `digests` are known by id, whole or the part that is in the id. A number of many digits may be
    the beginning of another's digest, so numbers and ids go first.
    """
    named = [revision for revision in digests if wanted in _names(revision)]
    if named or len(wanted) < SHORTEST:
        return named
    return [
        revision
        for revision, digest in digests.items()
        if digest.startswith(wanted) or wanted.startswith(digest)
    ]


def _names(revision: str) -> tuple[str, str, str]:
    version = revision.partition("-")[0]
    return revision, version, version.removeprefix("v")
