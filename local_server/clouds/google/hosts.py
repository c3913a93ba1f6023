"""The host names of Google's APIs: the service, and the location or bucket that they name.

Source: the `rootUrl` and `endpoints` of Google's discovery documents; Cloud Storage, "Request
endpoints"; Vertex AI, "Locations"; Compute Engine, "About VM metadata".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..hosts import host_name

METADATA = "metadata"
DEDICATED = "prediction.vertexai.goog"
STORAGE = "storage"
_METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata", "169.254.169.254"})
_API = re.compile(r"(?:(?P<location>[a-z]+-[a-z]+[0-9]+)-)?(?P<service>[a-z0-9-]+)")
_DEDICATED = re.compile(r"[a-z0-9-]+\.(?P<location>[a-z]+-[a-z]+[0-9]+)-[a-z0-9]+")
_DOMAIN = ".googleapis.com"
_BUCKETS = f".{STORAGE}{_DOMAIN}"


@dataclass(frozen=True, slots=True)
class GoogleHost:
    """A service, by the first label of its host without the location."""

    service: str
    location: str = ""
    bucket: str = ""
    """The bucket of Cloud Storage's virtual hosts."""


@lru_cache(maxsize=256)
def google_host(authority: str) -> GoogleHost | None:
    """Return what a `Host` of Google's APIs names; None for any other host."""
    host = host_name(authority)
    if host in _METADATA_HOSTS:
        return GoogleHost(METADATA)
    if host.endswith(_BUCKETS):
        return GoogleHost(STORAGE, bucket=host.removesuffix(_BUCKETS))
    dedicated = _DEDICATED.fullmatch(host.removesuffix(f".{DEDICATED}"))
    if dedicated is not None and host.endswith(DEDICATED):
        return GoogleHost(DEDICATED, dedicated["location"])
    match = _API.fullmatch(host.removesuffix(_DOMAIN)) if host.endswith(_DOMAIN) else None
    return GoogleHost(match["service"], match["location"] or "") if match else None
