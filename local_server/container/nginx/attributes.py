"""Custom attributes: the model, version and method of TensorFlow Serving that a request names.

Source: tensorflowServing.js (`parse_custom_attributes`, `make_tfs_uri`), tfs_utils.py
(`parse_tfs_custom_attributes`, `make_tfs_uri`). Only `tfs-model-name`, `tfs-model-version` and
`tfs-method` are used; the body names the signature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..release import Release
from ..types import RefusedError

_ATTRIBUTE = re.compile(r"tfs-[a-z\-]+=[^,]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_VERSION = re.compile(r"[0-9]+")
_METHODS = {"predict", "classify", "regress"}


@dataclass(frozen=True, slots=True)
class Target:
    """A request's target in TensorFlow Serving; `named` holds the attributes of its header."""

    model: str
    version: str | None
    method: str
    named: Mapping[str, str]

    @property
    def status_path(self) -> str:
        """Return the path of the version's status."""
        versions = f"/versions/{self.version}" if self.version else ""
        return f"/v1/models/{self.model}{versions}"

    @property
    def path(self) -> str:
        """Return the path of the request."""
        return f"{self.status_path}:{self.method}"


def is_model_name(name: str) -> bool:
    """Return whether the 2.20 image accepts a model name."""
    return _NAME.fullmatch(name) is not None


def script_target(release: Release, attributes: str | None, default: str) -> Target:
    """Return a request's target, as the nginx script determines it.

    Raises RefusedError (400): 2.20 checks every part, 2.19 leaves that to TensorFlow Serving.
    """
    pairs = [pair.split("=") for pair in _ATTRIBUTE.findall(attributes or "")]
    named = {pair[0]: pair[1] for pair in pairs if len(pair) == len(("name", "value"))}
    target = _target(named, default)
    if release is Release.V2_20:
        _check(is_model_name(target.model), "invalid tfs-model-name")
        _check_rest(target, "invalid tfs-model-version", "invalid tfs-method")
    return target


def service_target(
    release: Release, attributes: str | None, default: str, model: str | None
) -> Target:
    """Return a request's target, as the Python service determines it.

    `model` is the model of a multi-model URL. Raises RefusedError (400) in 2.20, which checks a
    name in the header but not the name of a folder.
    """
    named = dict(pair.split("=", 1) for pair in _ATTRIBUTE.findall(attributes or ""))
    target = _target(named | ({"tfs-model-name": model} if model else {}), default)
    if release is Release.V2_20:
        header = named.get("tfs-model-name")
        _check(header is None or is_model_name(header), "invalid tfs-model-name")
        _check_rest(
            target,
            "invalid tfs-model-version: must be a positive integer",
            "invalid tfs-method: must be one of predict|classify|regress",
        )
    return Target(target.model, target.version, target.method, named)


def _target(named: Mapping[str, str], default: str) -> Target:
    model = named.get("tfs-model-name", default)
    method = named.get("tfs-method", "predict")
    return Target(model, named.get("tfs-model-version"), method, named)


def _check_rest(target: Target, version: str, method: str) -> None:
    _check(target.version is None or _VERSION.fullmatch(target.version) is not None, version)
    _check(target.method in _METHODS, method)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RefusedError(400, message)
