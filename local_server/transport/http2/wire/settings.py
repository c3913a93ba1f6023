"""SETTINGS: the peer's, validated, and the server's frame. Source: RFC 9113, section 6.5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from struct import Struct

from .errors import ConnectionFault, ErrorCode, frame_size_error, protocol_error
from .frames import DEFAULT_FRAME_SIZE, MAX_FRAME_SIZE, MAX_WINDOW, SETTINGS, frame

_PAIR = Struct(">HL")


class Setting(IntEnum):
    """An identifier of a setting."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


def settings_frame(values: Mapping[Setting, int]) -> bytes:
    """Return a SETTINGS frame."""
    payload = b"".join(_PAIR.pack(key, value) for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> Iterable[tuple[int, int]]:
    """Return the settings of a payload in their order; unknown identifiers are included.

    Raises ConnectionFault for a payload or value that is not allowed.
    """
    if len(payload) % _PAIR.size:
        raise frame_size_error("a SETTINGS payload that is not made of 6 byte settings")
    return list(_checked(payload))


def _checked(payload: bytes) -> Iterator[tuple[int, int]]:
    for key, value in _PAIR.iter_unpack(payload):
        match key:
            case Setting.ENABLE_PUSH if value > 1:
                raise protocol_error(f"ENABLE_PUSH = {value}")
            case Setting.INITIAL_WINDOW_SIZE if value > MAX_WINDOW:
                raise ConnectionFault(
                    ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE = {value}"
                )
            case Setting.MAX_FRAME_SIZE if not DEFAULT_FRAME_SIZE <= value <= MAX_FRAME_SIZE:
                raise protocol_error(f"MAX_FRAME_SIZE = {value}")
        yield key, value
