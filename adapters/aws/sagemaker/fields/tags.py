"""The user's tags of a resource: which of its tags a target has written.

Other people and tools may tag a resource too. Only the tags that `cloudserve-tags` lists are
changed or removed.
"""

from __future__ import annotations

from collections.abc import Mapping

MANAGED = "cloudserve-tags"
"""The tag that lists the names of the target's `tags`."""
SEPARATOR = "//"
"""Tags accept no comma (SageMaker API reference, `Tag`)."""
LONGEST_TAG = 256


def tag_names(tags: Mapping[str, str]) -> str:
    """Return the value of the tag that lists the names of these tags."""
    return SEPARATOR.join(sorted(tags))


def with_names(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a new resource with their list."""
    return {**tags, MANAGED: tag_names(tags)} if tags else {}


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those of a resource's tags that a target has written."""
    names = tags.get(MANAGED, "").split(SEPARATOR)
    return {name: tags[name] for name in names if name in tags}


def difference(
    tags: Mapping[str, str], expected: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the tags to write on a resource, and the names of those to remove."""
    wanted = with_names(expected)
    removed = set(own_tags(tags)) - set(wanted)
    if not expected and MANAGED in tags:
        removed.add(MANAGED)
    changed = {key: value for key, value in wanted.items() if tags.get(key) != value}
    return changed, tuple(sorted(removed))
