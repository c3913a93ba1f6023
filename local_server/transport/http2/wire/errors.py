"""Errors of a peer: of the connection or of one stream. Source: RFC 9113, sections 5.4 and 7."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """An error code of RST_STREAM and GOAWAY."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ConnectionFault(Exception):  # noqa: N818  the RFC calls it a connection error
    """The connection cannot continue; it is closed with GOAWAY."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class StreamFault(Exception):  # noqa: N818  the RFC calls it a stream error
    """One stream cannot continue; it is closed with RST_STREAM."""

    def __init__(self, stream_id: int, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.stream_id = stream_id
        self.code = code
        self.text = text


def protocol_error(text: str) -> ConnectionFault:
    """Return a connection error of type PROTOCOL_ERROR."""
    return ConnectionFault(ErrorCode.PROTOCOL_ERROR, text)


def frame_size_error(text: str) -> ConnectionFault:
    """Return a connection error of type FRAME_SIZE_ERROR."""
    return ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, text)
