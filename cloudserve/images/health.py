"""The health check of the container: exits with 0 if the server answers, else with 1.

Vertex AI names the port and the path of the check in AIP_HTTP_PORT and AIP_HEALTH_ROUTE (custom
container requirements, "AIP variables"). Arguments for TensorFlow Serving's image choose another
port, which HEALTH_URL then names.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT = 4.0
"""Seconds; less than the timeout of the Dockerfile's HEALTHCHECK."""


def health_url(environ: Mapping[str, str]) -> str:
    """Return the URL that answers 200 while a model is served."""
    port = environ.get("AIP_HTTP_PORT") or "8080"
    route = environ.get("AIP_HEALTH_ROUTE") or "/health"
    return environ.get("HEALTH_URL") or f"http://127.0.0.1:{port}{route}"


def is_healthy(url: str) -> bool:
    """Return whether a server answers a GET with 200 within the timeout."""
    # Without a proxy: the server is in this container.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            return bool(response.status == 200)  # noqa: PLR2004 - OK
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(not is_healthy(health_url(os.environ)))
