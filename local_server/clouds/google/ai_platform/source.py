"""A version's model directory in Cloud Storage, and AI Platform's rules for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...model_hosting import Source
from ...objects.store.store import ObjectStore
from ..common.errors import ApiError

_URI = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?", re.DOTALL)
_MOST_FILES = 1000
_MLS1_BYTES, _N1_BYTES = 500 * 1024**2, 10 * 1024**3


def source_of(version: Mapping[str, Any]) -> Source:
    """Return the directory in a version's deploymentUri."""
    uri = version.get("deploymentUri", "")
    match = _URI.fullmatch(uri)
    if match is None:
        raise _deployment_uri(
            Code.INVALID_ARGUMENT, f'"{uri}" is not a directory in Cloud Storage: gs://BUCKET/PATH.'
        )
    path = (match[2] or "").strip("/")
    return Source(match[1], f"{path}/" if path else "")


def check_directory(store: ObjectStore, source: Source, version: Mapping[str, Any]) -> None:
    """Refuse a directory without a SavedModel or beyond the limits. Blocks."""
    uri = version["deploymentUri"]
    names = [name for name in ("saved_model.pb", "saved_model.pbtxt") if source.holds(store, name)]
    if len(names) != 1:
        raise _deployment_uri(
            Code.FAILED_PRECONDITION,
            f"With v1 endpoint, the model directory {uri} is expected to contain exactly one of"
            " the following: 'saved_model.pb' file or 'saved_model.pbtxt' file. Please use"
            " SavedModel.",
        )
    count, size = source.usage(store)
    if count > _MOST_FILES:
        raise _deployment_uri(
            Code.INVALID_ARGUMENT,
            f"The number of files in {uri} is {count}, which exceeds the allowed maximum of"
            f" {_MOST_FILES}.",
        )
    most = _MLS1_BYTES if version["machineType"].startswith("mls1") else _N1_BYTES
    if size > most:
        raise _deployment_uri(
            Code.INVALID_ARGUMENT,
            f"The total size of files in {uri} is {size} bytes, which exceeds the allowed maximum"
            f" of {most} bytes.",
        )


def _deployment_uri(code: Code, description: str) -> ApiError:
    return ApiError.of_field(code, "version.deployment_uri", description)
