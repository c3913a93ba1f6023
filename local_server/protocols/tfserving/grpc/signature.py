"""`SignatureDef` messages of metadata responses."""

from __future__ import annotations

from ....inference.types import Metadata
from ....messages import message_class
from ....transport.grpc_types import Message

SignatureDefMap = message_class("tensorflow.serving.SignatureDefMap")


def signature_map(metadata: Metadata) -> Message:
    """Return the signatures of a version as a `SignatureDefMap`."""
    signatures = SignatureDefMap()
    for name, definition in metadata.definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    return signatures
