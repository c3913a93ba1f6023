"""Encoding of gRPC's metadata, timeouts and statuses. Source: grpc/doc/PROTOCOL-HTTP2.md."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final

from ...status import Code, StatusError
from ..http2.wire.header_blocks import ResponseBlocks, encode
from ..http2.wire.request_head import Field

ACCEPTED_ENCODINGS: Final = b"identity, deflate, gzip"

_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])").fullmatch
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TO_ESCAPE = re.compile(rb"[^ -$&-~]")
# Fields of the transport; handlers do not see them.
_RESERVED = frozenset(
    {
        b"te",
        b"content-type",
        b"content-length",
        b"grpc-timeout",
        b"grpc-encoding",
        b"grpc-accept-encoding",
        b"grpc-message-type",
    }
)
_CONTENT = (
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", ACCEPTED_ENCODINGS),
)

HEAD: Final = encode(_CONTENT)
"""The header block of every response with a message."""
OK_TRAILERS: Final = encode([(b"grpc-status", b"0")])
"""The trailers of every successful response."""
OK: Final = ResponseBlocks(HEAD, OK_TRAILERS)


def read_timeout(value: bytes) -> float:
    """Return the seconds of a `grpc-timeout`. Raises StatusError if it is invalid."""
    match = _TIMEOUT(value)
    if match is None:
        text = f"grpc-timeout is not a number and a unit: {value[:32]!r}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    return int(match[1]) * _UNITS[match[2]]


def read_metadata(fields: Iterable[Field]) -> tuple[tuple[str, str | bytes], ...]:
    """Return the metadata of a request.

    Raises StatusError for `-bin` values that are not base64.
    """
    return tuple(_metadata(fields))


def _metadata(fields: Iterable[Field]) -> Iterator[tuple[str, str | bytes]]:
    for name, value in fields:
        if name in _RESERVED:
            continue
        key = name.decode("ascii")
        if name.endswith(b"-bin"):
            for part in value.split(b","):
                yield key, _from_base64(key, part.strip())
        else:
            yield key, value.decode("utf-8", "replace")


def _from_base64(key: str, value: bytes) -> bytes:
    """Decode a value with or without its padding."""
    padding = b"=" * (-len(value) % 4)
    try:
        return base64.b64decode(value + padding, validate=True)
    except binascii.Error as error:
        text = f"the value of {key} is not base64"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error


def status_trailers(code: Code, message: str, details: bytes = b"") -> bytes:
    """Return the trailers of a call whose head was sent."""
    return encode(_status(code, message, details))


def status_only(code: Code, message: str, details: bytes = b"") -> bytes:
    """Return the only header block of a call without a message ("Trailers-Only")."""
    return encode([*_CONTENT, *_status(code, message, details)])


def _status(code: Code, message: str, details: bytes) -> list[Field]:
    fields = [(b"grpc-status", b"%d" % code)]
    if message:
        fields.append((b"grpc-message", escape(message)))
    if details:
        # Binary values are base64 without padding, which is optional.
        fields.append((b"grpc-status-details-bin", base64.b64encode(details).rstrip(b"=")))
    return fields


def escape(message: str) -> bytes:
    """Return a status message in the percent-encoding of `grpc-message`."""
    data = message.encode("utf-8", "replace")
    return _TO_ESCAPE.sub(lambda match: b"%%%02X" % match[0][0], data)
