"""`SignatureDef` messages of metadata responses."""

from __future__ import annotations

from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from ....inference.types import Metadata
from ....transport.grpc_types import Message


def signature_map(metadata: Metadata) -> Message:
    """Return the signatures of a version as a `SignatureDefMap`."""
    signatures = SignatureDefMap()
    for name, definition in metadata.definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    return signatures
