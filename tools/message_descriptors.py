"""Write `local_server/messages/descriptors.binpb` from the installed TensorFlow packages.

    python tools/message_descriptors.py

Run it when `tensorflow` or `tensorflow-serving-api` of setup.cfg changes; a test says so.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOTS = (
    "tensorflow_serving.apis.prediction_log_pb2",
    "tensorflow_serving.apis.prediction_service_pb2",
    "tensorflow_serving.apis.model_service_pb2",
    "tensorflow.core.protobuf.config_pb2",
    "tensorflow.core.protobuf.saved_model_pb2",
    "tensorflow.core.protobuf.trackable_object_graph_pb2",
)
"""Generated modules whose files are stored, with the files that they import."""
TARGET = Path(__file__).parents[1] / "local_server" / "messages" / "descriptors.binpb"


def installed_descriptors() -> FileDescriptorSet:
    """Return the files of ROOTS in the installed packages, each behind those that it imports."""
    found: dict[str, FileDescriptorProto] = {}
    for root in ROOTS:
        _collect(importlib.import_module(root).DESCRIPTOR, found)
    return FileDescriptorSet(file=found.values())


def _collect(file: Any, found: dict[str, FileDescriptorProto]) -> None:
    if file.name in found:
        return
    for dependency in file.dependencies:
        _collect(dependency, found)
    found[file.name] = FileDescriptorProto.FromString(file.serialized_pb)


if __name__ == "__main__":
    TARGET.write_bytes(installed_descriptors().SerializeToString(deterministic=True))
