"""The protobuf messages of a SavedModel, in a private descriptor pool.

Names, numbers and types are those of tensorflow/core/{framework,protobuf}/*.proto; a test compares
them with TensorFlow's. The parser skips undeclared fields (weights inside the graph, attributes,
the object graph), which keeps it fast. Most `oneof`s are omitted: they are not in the encoding.
"""

from __future__ import annotations

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from cloudserve.protos import Message, declare, message_class
from cloudserve.savedmodel.dtypes import PROTO_NAMES

__all__ = [
    "AssetFileDef",
    "BundleEntryProto",
    "BundleHeaderProto",
    "DecodeError",
    "GraphDef",
    "KernelList",
    "Message",
    "MetaGraphDef",
    "OpList",
    "SavedModel",
    "SignatureDef",
    "parse",
    "parse_text",
]

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
        "repeated ArgDef output_arg = 3",
        "repeated AttrDef attr = 4",
    ),
    "ArgDef": (
        "string name = 1",
        "DataType type = 3",
        "string type_attr = 4",
        "string number_attr = 5",
        "string type_list_attr = 6",
        "bool is_ref = 16",
    ),
    "AttrDef": (
        "string name = 1",
        "string type = 2",
        "AttrValue default_value = 3",
        "AttrValue allowed_values = 7",
    ),
    "KernelList": ("repeated KernelDef kernel = 1",),
    "KernelDef": (
        "string op = 1",
        "string device_type = 2",
    ),
    "GraphDef": (
        "repeated NodeDef node = 1",
        "FunctionDefLibrary library = 2",
        "VersionDef versions = 4",
    ),
    "VersionDef": (
        "int32 producer = 1",
        "int32 min_consumer = 2",
        "repeated int32 bad_consumers = 3",
    ),
    "NodeDef": (
        "string name = 1",
        "string op = 2",
        "repeated string input = 3",
        "string device = 4",
        "map AttrValue attr = 5",
    ),
    "AttrValue": (
        "ListValue list = 1 in value",
        "bytes s = 2 in value",
        "int64 i = 3 in value",
        "float f = 4 in value",
        "bool b = 5 in value",
        "DataType type = 6 in value",
        "TensorShapeProto shape = 7 in value",
        "TensorProto tensor = 8 in value",
        "string placeholder = 9 in value",
        "NameAttrList func = 10 in value",
    ),
    "ListValue": (
        "repeated bytes s = 2",
        "repeated DataType type = 6",
        "repeated TensorShapeProto shape = 7",
        "repeated NameAttrList func = 9",
    ),
    "NameAttrList": ("string name = 1",),
    "FunctionDefLibrary": ("repeated FunctionDef function = 1",),
    "FunctionDef": (
        "OpDef signature = 1",
        "repeated NodeDef node_def = 3",
        "map string ret = 4",
        "map AttrValue attr = 5",
        "map string control_ret = 6",
    ),
    "SaverDef": (
        "string filename_tensor_name = 1",
        "string restore_op_name = 3",
    ),
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
    "TensorProto": (
        "DataType dtype = 1",
        "repeated int32 int_val = 7",
        "repeated bytes string_val = 8",
        "repeated int64 int64_val = 10",
    ),
    "AssetFileDef": (
        "TensorInfo tensor_info = 1",
        "string filename = 2",
    ),
    "BundleHeaderProto": ("int32 num_shards = 1",),
    "BundleEntryProto": (
        "DataType dtype = 1",
        "TensorShapeProto shape = 2",
        "int32 shard_id = 3",
        "int64 offset = 4",
        "int64 size = 5",
        "fixed32 crc32c = 6",
    ),
}


def _make_pool() -> DescriptorPool:
    pool = DescriptorPool()
    any_file = declare(pool, "google.protobuf", {"Any": ("string type_url = 1", "bytes value = 2")})
    enums = {"DataType": {name: number for number, name in PROTO_NAMES.items()}}
    declare(pool, "tensorflow", _MESSAGES, enums, [any_file])
    return pool


_POOL = _make_pool()

SavedModel = message_class(_POOL, "tensorflow.SavedModel")
SignatureDef = message_class(_POOL, "tensorflow.SignatureDef")
MetaGraphDef = message_class(_POOL, "tensorflow.MetaGraphDef")
GraphDef = message_class(_POOL, "tensorflow.GraphDef")
AssetFileDef = message_class(_POOL, "tensorflow.AssetFileDef")
OpList = message_class(_POOL, "tensorflow.OpList")
KernelList = message_class(_POOL, "tensorflow.KernelList")
BundleHeaderProto = message_class(_POOL, "tensorflow.BundleHeaderProto")
BundleEntryProto = message_class(_POOL, "tensorflow.BundleEntryProto")


def parse(kind: Message, data: bytes) -> Message:
    """Parse a message in binary form. Raises DecodeError when the data is not one."""
    try:
        return kind.FromString(data)
    except UnicodeDecodeError as error:  # protobuf's pure Python parser, on a string field
        raise DecodeError(str(error)) from error


def parse_text(kind: Message, data: bytes) -> Message:
    """Parse a message in text form (`saved_model.pbtxt`). Raises DecodeError likewise."""
    from google.protobuf import text_format

    try:
        return text_format.Parse(
            data.decode(), kind(), allow_unknown_field=True, descriptor_pool=_POOL
        )
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error)) from error
