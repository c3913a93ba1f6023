"""The protobuf messages of a SavedModel, in a private descriptor pool.

TensorFlow registers these names in protobuf's default pool, which refuses a second registration.
With a private pool both can be imported into one process, in any order.

Names, numbers and types are those of tensorflow/core/{framework,protobuf}/*.proto; a test compares
them with TensorFlow's. The parser skips undeclared fields (weights inside the graph, attributes,
the object graph), which keeps it fast. `oneof`s are omitted: they are not in the encoding.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from cloudserve.savedmodel.dtypes import PROTO_NAMES

__all__ = [
    "AssetFileDef",
    "BundleEntryProto",
    "BundleHeaderProto",
    "DecodeError",
    "Message",
    "OpList",
    "SavedModel",
    "parse",
    "parse_text",
]

Message = Any
"""A message or message class, which protobuf makes at run time and mypy cannot see."""

# One line of .proto each: `[repeated | map] TYPE NAME = NUMBER`; `map T` is `map<string, T>`.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "SavedModel": (
        "int64 saved_model_schema_version = 1",
        "repeated MetaGraphDef meta_graphs = 2",
    ),
    "MetaGraphDef": (
        "MetaInfoDef meta_info_def = 1",
        "GraphDef graph_def = 2",
        "SaverDef saver_def = 3",
        "map CollectionDef collection_def = 4",
        "map SignatureDef signature_def = 5",
        "repeated AssetFileDef asset_file_def = 6",
    ),
    "MetaInfoDef": (
        "OpList stripped_op_list = 2",
        "repeated string tags = 4",
        "string tensorflow_version = 5",
        "string tensorflow_git_version = 6",
    ),
    "OpList": ("repeated OpDef op = 1",),
    "OpDef": (
        "string name = 1",
        "repeated ArgDef input_arg = 2",
    ),
    "ArgDef": ("string name = 1",),
    "GraphDef": (
        "repeated NodeDef node = 1",
        "FunctionDefLibrary library = 2",
    ),
    "NodeDef": (
        "string name = 1",
        "string op = 2",
        "repeated string input = 3",
        "map AttrValue attr = 5",
    ),
    "AttrValue": (
        "ListValue list = 1",
        "bytes s = 2",
        "NameAttrList func = 10",
    ),
    "ListValue": ("repeated NameAttrList func = 9",),
    "NameAttrList": ("string name = 1",),
    "FunctionDefLibrary": ("repeated FunctionDef function = 1",),
    "FunctionDef": (
        "OpDef signature = 1",
        "repeated NodeDef node_def = 3",
    ),
    "SaverDef": ("string restore_op_name = 3",),
    "CollectionDef": (
        "NodeList node_list = 1",
        "AnyList any_list = 5",
    ),
    "NodeList": ("repeated string value = 1",),
    "AnyList": ("repeated .google.protobuf.Any value = 1",),
    "SignatureDef": (
        "map TensorInfo inputs = 1",
        "map TensorInfo outputs = 2",
        "string method_name = 3",
        "map TensorProto defaults = 4",
    ),
    "TensorInfo": (
        "string name = 1",
        "DataType dtype = 2",
        "TensorShapeProto tensor_shape = 3",
        "CooSparse coo_sparse = 4",
        "CompositeTensor composite_tensor = 5",
    ),
    "CooSparse": (
        "string values_tensor_name = 1",
        "string indices_tensor_name = 2",
        "string dense_shape_tensor_name = 3",
    ),
    "CompositeTensor": ("repeated TensorInfo components = 2",),
    "TensorShapeProto": (
        "repeated Dim dim = 2",
        "bool unknown_rank = 3",
    ),
    "Dim": ("int64 size = 1",),
    "TensorProto": (),
    "AssetFileDef": (
        "TensorInfo tensor_info = 1",
        "string filename = 2",
    ),
    "BundleHeaderProto": ("int32 num_shards = 1",),
    "BundleEntryProto": (
        "int32 shard_id = 3",
        "int64 offset = 4",
        "int64 size = 5",
    ),
}
_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}


def _qualified(type_name: str) -> str:
    return type_name if type_name.startswith(".") else f".tensorflow.{type_name}"


def _set_type(field: FieldDescriptorProto, type_name: str) -> None:
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
        return
    is_enum = type_name == "DataType"
    field.type = FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = _qualified(type_name)


def _add_map_entry(message: DescriptorProto, field_name: str, value_type: str) -> str:
    """Add the nested message that encodes a `map<string, T>`, and return its name."""
    name = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _add_field(entry, "string key = 1")
    _add_field(entry, f"{value_type} value = 2")
    return f"{message.name}.{name}"


def _add_field(message: DescriptorProto, line: str) -> None:
    *label, type_name, name, _, number = line.split()
    if label == ["map"]:
        type_name = _add_map_entry(message, name, type_name)
    field = message.field.add(name=name, number=int(number))
    field.label = (
        FieldDescriptorProto.LABEL_REPEATED if label else FieldDescriptorProto.LABEL_OPTIONAL
    )
    _set_type(field, type_name)


def _file(package: str, messages: dict[str, tuple[str, ...]]) -> FileDescriptorProto:
    file = FileDescriptorProto(name=f"cloudserve/{package}.proto", package=package, syntax="proto3")
    for name, lines in messages.items():
        message = file.message_type.add(name=name)
        for line in lines:
            _add_field(message, line)
    return file


def _make_pool() -> DescriptorPool:
    pool = DescriptorPool()
    any_file = _file("google.protobuf", {"Any": ("string type_url = 1", "bytes value = 2")})
    pool.Add(any_file)
    file = _file("tensorflow", _MESSAGES)
    file.dependency.append(any_file.name)
    data_type = file.enum_type.add(name="DataType")
    for number, name in PROTO_NAMES.items():
        data_type.value.add(name=name, number=number)
    pool.Add(file)
    return pool


_POOL = _make_pool()


def _message_class(name: str) -> Message:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tensorflow.{name}"))


SavedModel = _message_class("SavedModel")
AssetFileDef = _message_class("AssetFileDef")
OpList = _message_class("OpList")
BundleHeaderProto = _message_class("BundleHeaderProto")
BundleEntryProto = _message_class("BundleEntryProto")


def parse(message_class: Message, data: bytes) -> Message:
    """Parse a message in binary form. Raises DecodeError when the data is not one."""
    try:
        return message_class.FromString(data)
    except UnicodeDecodeError as error:  # protobuf's pure Python parser, on a string field
        raise DecodeError(str(error)) from error


def parse_text(message_class: Message, data: bytes) -> Message:
    """Parse a message in text form (`saved_model.pbtxt`). Raises DecodeError likewise."""
    from google.protobuf import text_format

    try:
        return text_format.Parse(
            data.decode(), message_class(), allow_unknown_field=True, descriptor_pool=_POOL
        )
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from error
