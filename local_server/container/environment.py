"""The environment that users' code runs in: a container's, with nothing of the caller's shell.

The shell of whoever starts a rehearsal holds keys of real accounts, and a real container does not
have them. Names and values of the base are those of AWS's image (aws/deep-learning-containers,
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
    # As in the image; nothing is written beside the user's own files.
    "PYTHONDONTWRITEBYTECODE": "1",
    # On a virtual machine of a cloud the metadata server hands out real credentials.
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_GCE_CHECK": "true",
}
_OF_THE_INTERPRETER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What Python itself may need to start. They name folders, and hold no secret."""
_ENDPOINT = "AWS_ENDPOINT_URL"
_STRAYING = (f"{_ENDPOINT}_", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_SESSION_TOKEN")
"""What would send requests past the endpoint, or sign them with another account's token."""
_HERE = "localhost,127.0.0.1"


def container_environment(
    home: Path, given: Mapping[str, str], platform: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of a process that runs users' code.

    `home` is its HOME and the place of its temporary files. `given` is the model's own Environment.
    `platform` is what the offline cloud sets: it comes last, so that a model cannot leave the
    rehearsal; the regions alone are the model's where it names one.
    """
    offline = platform or {}
    kept = {name: value for name, value in given.items() if not _strays(name, offline)}
    regions = {name: kept[name] for name in kept if name in {"AWS_REGION", "AWS_DEFAULT_REGION"}}
    return _base(home) | kept | _direct(kept) | dict(offline) | regions


def _base(home: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _OF_THE_INTERPRETER if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{_SYSTEM_PATH}"
    return {**_BASE, "PATH": path, "HOME": str(home), "TMPDIR": str(home), **inherited}


def _strays(name: str, offline: Mapping[str, str]) -> bool:
    strays = _ENDPOINT in offline and name.startswith(_STRAYING)
    if strays:
        logger.warning("%s of the model's Environment does not count offline", name)
    return strays


def _direct(given: Mapping[str, str]) -> dict[str, str]:
    """Keep what is on this machine (TensorFlow Serving, the emulator) from a proxy."""
    named = given.get("NO_PROXY") or given.get("no_proxy")
    away = ",".join(filter(None, (named, _HERE)))
    return {"NO_PROXY": away, "no_proxy": away}
