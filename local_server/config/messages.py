"""The protobuf messages of a model server's configuration, in a private descriptor pool.

Names, numbers and types are those of tensorflow_serving/config/model_server_config.proto and its
imports; a test compares them.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor_pool import DescriptorPool

from cloudserve.protos import Message, declare, message_class

_PACKAGE = "tensorflow.serving"

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
_ENUMS = {"ModelType": {"MODEL_TYPE_UNSPECIFIED": 0, "TENSORFLOW": 1, "OTHER": 2}}


@cache
def model_server_config() -> Message:
    """Return the message class `ModelServerConfig`."""
    pool = DescriptorPool()
    declare(pool, _PACKAGE, _MESSAGES, _ENUMS)
    return message_class(pool, f"{_PACKAGE}.ModelServerConfig")
