"""AWS event stream encoding: the `application/vnd.amazon.eventstream` framing.

A message consists of its total length, its header length, the CRC-32 of both, the headers, the
payload, and the CRC-32 of everything before. Each header here is a string (type 7).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PART_BYTES = 128 * 1024
_STRING = 7
_OVERHEAD = 16  # two lengths, two checksums


def payload_parts(body: bytes) -> bytes:
    """Return a body as `PayloadPart` events; an empty body is one empty part."""
    return b"".join(_part(chunk) for chunk in _chunks(body))


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, max(len(body), 1), _PART_BYTES):
        yield body[start : start + _PART_BYTES]


def _part(payload: bytes) -> bytes:
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    return encode_message(headers, payload)


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Encode one message."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack("!II", _OVERHEAD + len(encoded) + len(payload), len(encoded))
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
