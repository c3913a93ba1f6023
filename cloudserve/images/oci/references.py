"""Names of images: registry, repository, tag and digest.

Source: OCI distribution specification 1.1, "Pulling manifests", for the grammar; Docker's short
names (`python:3.12`) are those of Docker Hub.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from cloudserve.errors import UserError

DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOST = "registry-1.docker.io"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image; a digest takes precedence over the tag."""

    registry: str
    repository: str
    tag: str = "latest"
    digest: str = ""
    has_tag: bool = True
    """Whether the tag was named; otherwise it is the default, `latest`."""

    def __str__(self) -> str:
        """Return the name with its registry: `docker.io/library/python:3.12`."""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}:{self.tag}{digest}"

    @property
    def version(self) -> str:
        """Return what identifies a manifest in the repository: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def url(self) -> str:
        """Return the URL of the registry; only a loopback host is asked over plain HTTP."""
        host = _DOCKER_HUB_HOST if self.registry == DOCKER_HUB else self.registry
        return f"{'http' if is_loopback(self.registry) else 'https'}://{host}"


def parse_reference(text: str, where: str) -> Reference:
    """Parse `[REGISTRY/]NAME[:TAG][@DIGEST]`; raises UserError for an invalid name."""
    name, at, digest = text.partition("@")
    registry, repository = _split_registry(name)
    repository, colon, tag = repository.partition(":")
    valid = (
        _HOST.fullmatch(registry)
        and _REPOSITORY.fullmatch(repository)
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not valid:
        raise UserError(
            f"`{text}` is not the name of an image",
            where=where,
            hint="write REGISTRY/NAME:TAG, such as europe-docker.pkg.dev/my-project/serving/"
            "cloudserve:1",
        )
    return Reference(registry, repository, tag or "latest", digest, bool(tag))


def is_loopback(registry: str) -> bool:
    """Return whether a registry's host is this machine, by its name or address."""
    host = registry.rsplit(":", 1)[0] if re.search(r":\d+$", registry) else registry
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry = DOCKER_HUB if first in {"index.docker.io", "registry-1.docker.io"} else first
    else:
        registry, rest = DOCKER_HUB, name
    if registry == DOCKER_HUB and "/" not in rest:
        rest = f"library/{rest}"
    return registry, rest
