"""The protobuf messages of a model server's configuration, in a descriptor pool of their own.

`tensorflow-serving-api` registers these names in protobuf's default pool and brings TensorFlow
along; in a private pool both live in one process. Names, numbers and types are those of
tensorflow_serving/config/model_server_config.proto and what it imports; a test compares them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool

Message = Any
"""A message or message class: protobuf makes them at run time, beyond mypy's sight."""

_PACKAGE = "tensorflow.serving"

# One line of .proto each: `[repeated | map] TYPE NAME = NUMBER [in ONEOF]`; `map T` is a
# `map<string, T>`.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "Latest": ("uint32 num_versions = 1",),
    "All": (),
    "Specific": ("repeated int64 versions = 1",),
    "ServableVersionPolicy": (
        "Latest latest = 100 in policy_choice",
        "All all = 101 in policy_choice",
        "Specific specific = 102 in policy_choice",
    ),
    "LogCollectorConfig": ("string type = 1", "string filename_prefix = 2"),
    "PerTaskSamplingConfig": (
        "string dc = 1",
        "int32 task_index = 2",
        "double sampling_rate = 3",
    ),
    "SamplingConfig": (
        "double sampling_rate = 1",
        "int32 attributes = 2",
        "repeated PerTaskSamplingConfig per_task_sampling_configs = 3",
    ),
    "LoggingConfig": (
        "LogCollectorConfig log_collector_config = 1",
        "SamplingConfig sampling_config = 2",
        "Any custom_logging_config = 3",
    ),
    "ModelConfig": (
        "string name = 1",
        "string base_path = 2",
        "ModelType model_type = 3",
        "string model_platform = 4",
        "LoggingConfig logging_config = 6",
        "ServableVersionPolicy model_version_policy = 7",
        "map int64 version_labels = 8",
    ),
    "ModelConfigList": ("repeated ModelConfig config = 1",),
    "ModelServerConfig": (
        "ModelConfigList model_config_list = 1 in config",
        "Any custom_model_config = 2 in config",
    ),
    "Any": ("string type_url = 1", "bytes value = 2"),
}
_ENUMS = {"ModelType": ("MODEL_TYPE_UNSPECIFIED", "TENSORFLOW", "OTHER")}
_SCALARS = {
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
}


@cache
def model_server_config() -> Message:
    """Return the message class `ModelServerConfig`."""
    pool = DescriptorPool()
    pool.Add(_file())
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.ModelServerConfig")
    return message_factory.GetMessageClass(descriptor)


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(
        name="cloudserve/model_server_config.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, lines in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for line in lines:
            _add_field(message, line)
    return file


def _add_field(message: DescriptorProto, line: str) -> None:
    declaration, _, oneof = line.partition(" in ")
    *label, type_name, name, _, number = declaration.split()
    field = message.field.add(name=name, number=int(number))
    if label == ["map"]:
        type_name = _add_map_entry(message, name, type_name)
    repeated = FieldDescriptorProto.LABEL_REPEATED
    field.label = repeated if label else FieldDescriptorProto.LABEL_OPTIONAL
    if oneof:
        field.oneof_index = _oneof_index(message, oneof)
    _set_type(field, type_name)


def _add_map_entry(message: DescriptorProto, field_name: str, value_type: str) -> str:
    """Add the nested message that a `map<string, T>` is on the wire, and return its name."""
    name = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _add_field(entry, "string key = 1")
    _add_field(entry, f"{value_type} value = 2")
    return f"{message.name}.{name}"


def _oneof_index(message: DescriptorProto, name: str) -> int:
    names = [oneof.name for oneof in message.oneof_decl]
    if name not in names:
        message.oneof_decl.add(name=name)
        names.append(name)
    return names.index(name)


def _set_type(field: FieldDescriptorProto, type_name: str) -> None:
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
        return
    is_enum = type_name in _ENUMS
    field.type = FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{type_name}"
