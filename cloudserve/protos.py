"""Protobuf messages declared in Python, each set in a descriptor pool of its own.

TensorFlow and tensorflow-serving-api register their messages in protobuf's default pool, which
refuses a second registration of a name. With private pools both live in one process, in either
import order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool

Message = Any
"""A message or message class: protobuf creates them at run time, invisible to mypy."""

_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
}


def declare(
    pool: DescriptorPool,
    package: str,
    messages: Mapping[str, Iterable[str]],
    enums: Mapping[str, Mapping[str, int]] | None = None,
    dependencies: Iterable[str] = (),
) -> str:
    """Add the messages and enums of a proto3 package to a pool; return the name of their file.

    Each field is one line: `[repeated | map] TYPE NAME = NUMBER [in ONEOF]`, where `map T` is a
    `map<string, T>`, and a TYPE of another package begins with a dot. `dependencies` are the names
    of the files that declare other packages.
    """
    file_name = f"cloudserve/{package}.proto"
    file = FileDescriptorProto(name=file_name, package=package, syntax="proto3")
    file.dependency.extend(dependencies)
    for name, values in (enums or {}).items():
        enum = file.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, lines in messages.items():
        message = file.message_type.add(name=name)
        for line in lines:
            _add_field(file, message, line)
    pool.Add(file)
    return file_name


def message_class(pool: DescriptorPool, name: str) -> Message:
    """Return the class of a message by its full name, such as `tensorflow.SavedModel`."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _add_field(file: FileDescriptorProto, message: DescriptorProto, line: str) -> None:
    declaration, _, oneof = line.partition(" in ")
    *label, type_name, name, _, number = declaration.split()
    field = message.field.add(name=name, number=int(number))
    if label == ["map"]:
        type_name = _add_map_entry(file, message, name, type_name)
    repeated = FieldDescriptorProto.LABEL_REPEATED
    field.label = repeated if label else FieldDescriptorProto.LABEL_OPTIONAL
    if oneof:
        field.oneof_index = _oneof_index(message, oneof)
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
        return
    is_enum = any(enum.name == type_name for enum in file.enum_type)
    field.type = FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
    is_absolute = type_name.startswith(".")
    field.type_name = type_name if is_absolute else f".{file.package}.{type_name}"


def _add_map_entry(
    file: FileDescriptorProto, message: DescriptorProto, field_name: str, value_type: str
) -> str:
    """Add the nested message that represents a `map<string, T>`, and return its name."""
    name = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _add_field(file, entry, "string key = 1")
    _add_field(file, entry, f"{value_type} value = 2")
    return f"{message.name}.{name}"


def _oneof_index(message: DescriptorProto, name: str) -> int:
    names = [oneof.name for oneof in message.oneof_decl]
    if name not in names:
        message.oneof_decl.add(name=name)
        names.append(name)
    return names.index(name)
