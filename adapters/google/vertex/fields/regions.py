"""The regions of Vertex AI, from the discovery document in googleapiclient."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

import msgspec

from cloudserve.errors import UserError
from cloudserve.project import Where


class _Endpoint(msgspec.Struct):
    location: str


class _Document(msgspec.Struct):
    endpoints: tuple[_Endpoint, ...] = ()


def known_regions() -> frozenset[str]:
    """Return the regions that the installed googleapiclient knows; none where it names none."""
    from googleapiclient.discovery_cache import get_static_doc

    document = msgspec.json.decode(get_static_doc("aiplatform", "v1") or "{}", type=_Document)
    return frozenset(endpoint.location for endpoint in document.endpoints)


def check_region(region: str, known: Collection[str], where: Where) -> None:
    """Raise UserError for a region that is not among those known, if any are."""
    if not known or region in known:
        return
    near = get_close_matches(region.lower(), sorted(known), n=3)
    raise UserError(
        f"Vertex AI has no region `{region}`",
        where=where("region"),
        hint=(f"did you mean {' or '.join(near)}? " if near else "")
        + "A newer google-api-python-client may know more of them",
    )
