"""Addresses of models: URLs of servers, sockets, directories, targets of a project."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloudserve.client.transports.cloud_address import CloudAddress, parse_cloud
from cloudserve.errors import UserError

FORMS = (
    "give http://HOST:PORT/v1/models/NAME, grpc://HOST:PORT/NAME, unix:SOCKET with a model, "
    "the ARN or the resource name of an endpoint, the directory of a model, or MODEL@TARGET of the "
    "project"
)
_MODEL_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/(?:versions|labels)/(?P<version>[^/:]+))?(?::predict)?/?"
)
_PORTS = {"http": 80, "https": 443, "grpc": 8500, "grpcs": 443}
_DIGITS = 18
"""Of version numbers, which are whole numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A model of a server that speaks TensorFlow Serving's REST API or gRPC."""

    base: str
    """Of REST the URL before `/v1`; of gRPC `HOST:PORT` or `unix:SOCKET`."""
    model: str
    version: str = ""
    is_grpc: bool = False
    is_secure: bool = False

    @property
    def where(self) -> str:
        """Return the address as errors and answers name it."""
        if not self.is_grpc:
            return f"{self.base}/v1/models/{self.model}"
        if self.base.startswith("unix:"):
            return f"{self.base} {self.model}"
        return f"{'grpcs' if self.is_secure else 'grpc'}://{self.base}/{self.model}"


@dataclass(frozen=True, slots=True)
class TargetAddress:
    """A model on a target of the project."""

    model: str
    target: str
    version: str = ""


Address = ServerAddress | TargetAddress | CloudAddress | Path


def check_version(version: str) -> str:
    """Return a version's number, label or revision; raises UserError for one that cannot be."""
    is_number = version.isdecimal()
    if not version.isprintable() or (is_number and len(version) > _DIGITS):
        raise UserError(
            f"{version[:40]!a} is not a version",
            hint="name a version's number, a label, or a deployed revision",
        )
    return version


def parse_address(text: str | Path, model: str = "") -> Address:
    """Return the address that a text names.

    `model` is the model of a server whose URL has none, and of a socket. A text that is neither a
    URL nor an existing path names a target: `MODEL[:VERSION]@TARGET`, or `TARGET` with a `model`.
    Raises UserError for any other text.
    """
    if isinstance(text, Path) or os.path.exists(text):  # noqa: PTH110 - false for any text
        return Path(text)
    cloud = parse_cloud(text, model)
    if cloud is not None:
        return cloud
    if text.startswith("unix:"):
        return _socket(text, model)
    if "://" in text:
        return _url(text, model)
    return _target(text, model)


def _socket(text: str, model: str) -> ServerAddress:
    path = text.removeprefix("unix:").removeprefix("//")
    if not path.startswith("/") or not model:
        raise UserError(
            f"`{text}` {'names no model' if path.startswith('/') else 'has no absolute path'}",
            hint='give unix:/PATH/OF/SOCKET and the model: Client("unix:/run/s.sock", "NAME")',
        )
    return ServerAddress(f"unix:{path}", model, is_grpc=True)


def _url(text: str, model: str) -> ServerAddress:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UserError(f"`{text}` is not a URL: {error}", hint=FORMS) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UserError(f"`{text}` is not the URL of a server", hint=FORMS)
    if parts.username or parts.query or parts.fragment:
        raise UserError(
            f"the URL of {parts.hostname} has a user, a query or a fragment, which no server reads",
            hint="give a token by `access=Access(token=…)` or --auth-token-file",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = f"{host}:{port or _PORTS[parts.scheme]}"
    if parts.scheme in {"grpc", "grpcs"}:
        return _grpc(text, authority, parts.path, model, parts.scheme == "grpcs")
    base = f"{parts.scheme}://{authority}" if port else f"{parts.scheme}://{host}"
    return _rest(text, base, parts.path, model)


def _grpc(text: str, authority: str, path: str, model: str, secure: bool) -> ServerAddress:
    name, _, version = path.strip("/").partition("/")
    if not (name or model) or "/" in version:
        raise _nameless(text, "grpc://HOST:PORT/NAME or grpc://HOST:PORT/NAME/VERSION")
    return ServerAddress(authority, name or model, version, is_grpc=True, is_secure=secure)


def _rest(text: str, base: str, path: str, model: str) -> ServerAddress:
    prefix, separator, rest = path.partition("/v1/models/")
    if not separator:
        if not model:
            raise _nameless(text, "http://HOST:PORT/v1/models/NAME")
        prefix, separator, rest = path.rstrip("/"), "/v1/models/", model
    match = _MODEL_PATH.fullmatch(separator + rest)
    if match is None:
        raise _nameless(text, "http://HOST:PORT/v1/models/NAME[/versions/N or /labels/LABEL]")
    secure = base.startswith("https")
    return ServerAddress(base + prefix, match["model"], match["version"] or "", is_secure=secure)


def _nameless(text: str, form: str) -> UserError:
    return UserError(f"`{text}` names no model", hint=f"give {form}")


def _target(text: str, model: str) -> TargetAddress:
    name, at, target = text.rpartition("@")
    if not at and not model:
        raise UserError(
            f"`{text}` is neither an address of a model nor an existing directory", hint=FORMS
        )
    named, _, version = (name if at else model).partition(":")
    if not named or not target:
        raise UserError(f"`{text}` does not name a model and a target", hint=FORMS)
    return TargetAddress(named, target, version)
