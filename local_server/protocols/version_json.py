"""Versions and their states as JSON, formatted as protobuf does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..models import VersionState


def version_json(state: VersionState) -> dict[str, Any]:
    """Return a version and its state as a JSON object."""
    return {
        "version": str(state.version),
        "state": state.state.name,
        "status": {"error_code": state.code.name, "error_message": state.message},
    }


def print_json(message: Mapping[str, Any]) -> bytes:
    """Return a JSON object formatted as protobuf does."""
    text = json.dumps(message, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape") + b"\n"
