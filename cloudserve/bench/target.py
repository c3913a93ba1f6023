"""The address of what is measured: a model of a TensorFlow Serving server, or any HTTP URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from cloudserve.errors import UserError

_MODEL_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)"
    r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?::predict)?"
)
_PORTS = {"http": 80, "https": 443, "grpc": 8500, "grpcs": 443}
_EXAMPLE = "http://127.0.0.1:8501/v1/models/NAME or grpc://127.0.0.1:8500/NAME"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go; without a `model` the payload is sent as it is, to `path`."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    """Of HTTP requests; "" for gRPC."""
    model: str = ""
    version: int | None = None
    label: str = ""

    @property
    def is_grpc(self) -> bool:
        """Return whether requests are gRPC calls."""
        return self.scheme in {"grpc", "grpcs"}

    @property
    def is_secure(self) -> bool:
        """Return whether connections use TLS."""
        return self.scheme in {"https", "grpcs"}

    @property
    def is_local(self) -> bool:
        """Return whether the server is on this machine's loopback interface."""
        return self.host in _LOOPBACK

    @property
    def authority(self) -> str:
        """Return `HOST:PORT`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Return the target of a URL; raises UserError with the accepted forms."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UserError(f"`{url}` is not a URL: {error}", hint=f"give {_EXAMPLE}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UserError(
            f"`{url}` is neither a directory nor the URL of a server",
            hint=f"give the directory of a SavedModel, {_EXAMPLE}",
        )
    fields = (url, parts.scheme, parts.hostname, port or _PORTS[parts.scheme])
    return _grpc(fields, parts) if parts.scheme.startswith("grpc") else _http(fields, parts)


def _grpc(fields: tuple[str, str, str, int], parts: SplitResult) -> Target:
    model, _, version = parts.path.strip("/").partition("/")
    if not model or (version and not version.isdecimal()):
        raise UserError(
            f"`{fields[0]}` names no model",
            hint="give grpc://HOST:PORT/NAME or grpc://HOST:PORT/NAME/VERSION",
        )
    return Target(*fields, "", model, int(version) if version else None)


def _http(fields: tuple[str, str, str, int], parts: SplitResult) -> Target:
    match = _MODEL_PATH.fullmatch(parts.path)
    if match is None:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(*fields, path)
    version = int(match["version"]) if match["version"] else None
    path = parts.path.removesuffix(":predict")
    return Target(*fields, path, match["model"], version, match["label"] or "")
