"""Model status and metadata as TensorFlow Serving prints them.

protobuf's JSON as C++ writes it: one space of indent, defaults printed, int64 as strings
(get_model_status.proto, get_model_metadata.proto; tfserving.md 2.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import Signature, TensorSpec

from ...inference.types import Metadata
from ...models import VersionState

_PROTO_DTYPES = {dtype_name(number): name for number, name in PROTO_NAMES.items()}
_ANY_SIZE = -1


def status_json(states: Iterable[VersionState]) -> bytes:
    """Serialize versions and their states, in the given order."""
    return _print({"model_version_status": [_version(state) for state in states]})


def metadata_json(metadata: Metadata) -> bytes:
    """Serialize the signatures of a version.

    Of a model without definitions a signature that has default values lacks the key `defaults`.
    """
    signatures = {
        name: _definition(metadata.definitions[name])
        if name in metadata.definitions
        else _signature(each)
        for name, each in sorted(metadata.signatures.items())
    }
    spec = metadata.spec
    return _print(
        {
            "model_spec": {
                "name": spec.name,
                "signature_name": spec.signature,
                "version": str(spec.version),
            },
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
    )


def _version(state: VersionState) -> dict[str, Any]:
    return {
        "version": str(state.version),
        "state": state.state.name,
        "status": {"error_code": state.code.name, "error_message": state.message},
    }


def _definition(definition: Any) -> dict[str, Any]:
    written: dict[str, Any] = json_format.MessageToDict(
        definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return written


def _signature(signature: Signature) -> dict[str, Any]:
    written = {
        "inputs": {spec.alias: _tensor_info(spec) for spec in signature.inputs},
        "outputs": {spec.alias: _tensor_info(spec) for spec in signature.outputs},
        "method_name": signature.method_name,
    }
    return written if signature.defaults else written | {"defaults": {}}


def _tensor_info(spec: TensorSpec) -> dict[str, Any]:
    sizes = [_ANY_SIZE if size is None else size for size in spec.shape or ()]
    return {
        "dtype": _PROTO_DTYPES.get(spec.dtype, spec.dtype),
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in sizes],
            "unknown_rank": spec.shape is None,
        },
        "name": spec.tensor_name,
    }


def _print(message: dict[str, Any]) -> bytes:
    text = json.dumps(message, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape") + b"\n"
