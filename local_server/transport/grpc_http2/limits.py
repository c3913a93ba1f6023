"""Message size limits, and the limits that grpcio's channel arguments set."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...status import Code, StatusError
from ..http2.limits import Http2Limits

logger = logging.getLogger(__name__)

# TensorFlow Serving accepts 2 GiB, but a compressed message grows up to a thousand times when it is
# decompressed. `--grpc_channel_arguments` raises the limit.
_MOST_RECEIVED = 2**29
_UNLIMITED = 2**31 - 1
_MILLIS = 1e-3

_SECONDS = {
    "grpc.max_connection_idle_ms": "idle_seconds",
    "grpc.keepalive_time_ms": "keepalive_seconds",
    "grpc.keepalive_timeout_ms": "keepalive_timeout_seconds",
}
_COUNTS = {
    "grpc.max_concurrent_streams": "streams",
    "grpc.max_metadata_size": "header_list",
    "grpc.http2.max_frame_size": "frame_size",
}
_RECEIVE = "grpc.max_receive_message_length"
_SEND = "grpc.max_send_message_length"


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """The largest messages, in bytes."""

    receive: int = _MOST_RECEIVED
    send: int = _UNLIMITED

    def check_sent(self, size: int) -> None:
        """Raise StatusError for a response that is too large."""
        if size > self.send:
            text = f"Sent message larger than max ({size} vs. {self.send})"
            raise StatusError(Code.RESOURCE_EXHAUSTED, text)


def read_arguments(arguments: Mapping[str, int | str]) -> tuple[Http2Limits, MessageLimits]:
    """Return the limits that grpcio's channel arguments set; other arguments are logged.

    Raises ValueError for an invalid value.
    """
    changed: dict[str, Any] = {}
    messages = MessageLimits()
    ignored = []
    for name, value in arguments.items():
        if not isinstance(value, int):
            ignored.append(name)
        elif name in _SECONDS:
            changed[_SECONDS[name]] = value * _MILLIS
        elif name in _COUNTS:
            changed[_COUNTS[name]] = value
        elif name == _RECEIVE:
            messages = replace(messages, receive=_size(value))
        elif name == _SEND:
            messages = replace(messages, send=_size(value))
        else:
            ignored.append(name)
    if ignored:
        logger.warning("without effect on the native gRPC transport: %s", ", ".join(ignored))
    return Http2Limits(**changed), messages


def _size(value: int) -> int:
    return _UNLIMITED if value < 0 else value
