"""Model status and metadata as TensorFlow Serving prints them.

protobuf's JSON as C++ writes it: one space of indent, defaults printed, int64 as strings
(get_model_status.proto, get_model_metadata.proto).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from ...inference.types import Metadata
from ...models import VersionState
from ..version_json import print_json, version_json


def status_json(states: Iterable[VersionState]) -> bytes:
    """Serialize versions and their states, in the given order."""
    return print_json({"model_version_status": [version_json(state) for state in states]})


def metadata_json(metadata: Metadata) -> bytes:
    """Serialize the signatures of a version."""
    definitions = metadata.definitions
    signatures = {name: _definition(definitions[name]) for name in sorted(definitions)}
    spec = metadata.spec
    return print_json(
        {
            "model_spec": {
                "name": spec.name,
                "signature_name": spec.signature,
                "version": str(spec.version),
            },
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
    )


def _definition(definition: Any) -> dict[str, Any]:
    written: dict[str, Any] = json_format.MessageToDict(
        definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return written
