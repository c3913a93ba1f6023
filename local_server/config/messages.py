"""The message of a model server's configuration.

Source: tensorflow_serving/config/model_server_config.proto.
"""

from __future__ import annotations

from ..messages import Message, message_class

__all__ = ["Message", "model_server_config"]


def model_server_config() -> Message:
    """Return the message class `ModelServerConfig`."""
    return message_class("tensorflow.serving.ModelServerConfig")
