"""The configuration of served models: ModelServerConfig, its text form, version policies.

Free of TensorFlow and of the rest of the server.
"""

from .model_config import (
    All,
    Latest,
    LoggingConfig,
    ModelConfig,
    ModelServerConfig,
    Specific,
    VersionPolicy,
    model_server_config,
    read_config,
)
from .textproto import parse_text_file, parse_text_proto

__all__ = [
    "All",
    "Latest",
    "LoggingConfig",
    "ModelConfig",
    "ModelServerConfig",
    "Specific",
    "VersionPolicy",
    "model_server_config",
    "parse_text_file",
    "parse_text_proto",
    "read_config",
]
