"""The environment of users' code: that of a container, without the caller's shell.

The caller's shell may hold keys of real accounts, which a real container does not have. The base
variables are those of AWS's image (aws/deep-learning-containers,
`tensorflow/inference/docker/*/Dockerfile.cpu`).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASE = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONIOENCODING": "UTF-8",
    "PYTHONUNBUFFERED": "1",
    # As in the image; nothing is written next to the user's files.
    "PYTHONDONTWRITEBYTECODE": "1",
    # On a virtual machine of a cloud the metadata server hands out real credentials.
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_GCE_CHECK": "true",
}
_INTERPRETER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that Python may need to start. They name folders and hold no secret."""
_ENDPOINT = "AWS_ENDPOINT_URL"
_REDIRECTING = (f"{_ENDPOINT}_", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_SESSION_TOKEN")
"""Variables that would bypass the endpoint or sign requests with another account's token."""
_LOCAL_HOSTS = "localhost,127.0.0.1"


def container_environment(
    home: Path, model: Mapping[str, str], platform: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of a process that runs users' code.

    `home` is its HOME and its folder for temporary files, `model` the model's Environment.
    `platform` holds the variables of the offline cloud, which take precedence, so that a model
    cannot leave the rehearsal; only the region may be the model's.
    """
    offline = platform or {}
    kept = {name: value for name, value in model.items() if not _redirects(name, offline)}
    regions = {name: kept[name] for name in kept if name in {"AWS_REGION", "AWS_DEFAULT_REGION"}}
    return _base(home) | kept | _no_proxy(kept) | dict(offline) | regions


def _base(home: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INTERPRETER if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{_SYSTEM_PATH}"
    return {**_BASE, "PATH": path, "HOME": str(home), "TMPDIR": str(home), **inherited}


def _redirects(name: str, offline: Mapping[str, str]) -> bool:
    redirects = _ENDPOINT in offline and name.startswith(_REDIRECTING)
    if redirects:
        logger.warning("%s of the model's Environment is ignored offline", name)
    return redirects


def _no_proxy(variables: Mapping[str, str]) -> dict[str, str]:
    """Exclude local services (TensorFlow Serving, the emulator) from a proxy."""
    configured = variables.get("NO_PROXY") or variables.get("no_proxy")
    hosts = ",".join(filter(None, (configured, _LOCAL_HOSTS)))
    return {"NO_PROXY": hosts, "no_proxy": hosts}
