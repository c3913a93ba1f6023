"""The paths of Google's services that are available offline, by the service of their host.

The offline services share one host, and their paths distinguish them. A request to the host of one
of them must not be answered by another. Source: Google's discovery documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..google.hosts import DEDICATED, METADATA, STORAGE

_VERTEX = r"/(?:v1|v1beta1|ui)/projects/[^/]+/locations(?:[/:].*)?"
_PATHS = {
    "aiplatform": _VERTEX,
    DEDICATED: _VERTEX,
    "cloudresourcemanager": r"/v[0-9](?:beta[0-9])?/(?:projects|folders|organizations)(?:[/:].*)?",
    "iamcredentials": r"/v1/projects/[^/]+/serviceAccounts/.*",
    "logging": r"/v2/.*",
    "ml": r"/v1/projects/(?![^/]+/(?:locations/[^/]+/endpoints|serviceAccounts)).*",
    "monitoring": r"/v[13]/projects/[^/]+/.*",
    "oauth2": r"/token",
    "sts": r"/v1/token",
    "www": r"/(?:(?:upload|download|batch)/)?(?:storage|oauth2)/.*",
    METADATA: r"/(?:computeMetadata/.*)?",
    # No bucket has such a name.
    STORAGE: r"(?!/(?:v[0-9]|ui|computeMetadata)/).*",
}
GOOGLE_PATHS: Mapping[str, re.Pattern[str]] = {
    service: re.compile(pattern) for service, pattern in _PATHS.items()
}
