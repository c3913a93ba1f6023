"""A unary call from request bytes to response bytes, independent of the gRPC library."""

from __future__ import annotations

import asyncio
import logging

from google.protobuf.message import DecodeError, EncodeError

from ...status import Code, StatusError
from ..grpc_types import Call, Message, Method

logger = logging.getLogger(__name__)

# grpc_status_util.cc: `kErrorMessageLimit`, in bytes.
_LONGEST_TEXT = 1024
_CUT = "...TRUNCATED"
# The text of TensorFlow's session after `RunOptions.timeout_in_ms` (tfserving.md 2.6).
_TIMED_OUT = "Timed out waiting for notification"
# Larger messages are parsed and serialized in a thread: a megabyte takes about half a
# millisecond, a hand-over a tenth of one.
_LARGE = 2**20


async def answer(method: Method, call: Call, body: bytes | bytearray) -> bytes:
    """Decode a request, call its handler within the deadline, and encode the response.

    Raises StatusError, with a text of at most 1024 bytes and a mark if it was cut. If the deadline
    has passed or the client is gone, work that waits for a thread is never started.
    """
    try:
        return await _within_deadline(method, call, body)
    except StatusError as error:
        raise StatusError(error.code, cut_text(error.message)) from error
    except Exception as error:
        logger.exception("%s failed", call.method)
        text = "the server failed; its log says why"
        raise StatusError(Code.INTERNAL, text) from error


def cut_text(text: str) -> str:
    """Return an error text as TensorFlow Serving sends it over gRPC: its first 1024 bytes."""
    data = text.encode("utf-8", "replace")
    if len(data) <= _LONGEST_TEXT:
        return data.decode()
    return data[:_LONGEST_TEXT].decode("utf-8", "ignore") + _CUT


async def _within_deadline(method: Method, call: Call, body: bytes | bytearray) -> bytes:
    try:
        async with asyncio.timeout(call.deadline_seconds) as limit:
            if method.admit is not None:
                method.admit(call)
            request = await _decode(method.request, body)
            return await _encode(await method.handle(call, request))
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StatusError(Code.DEADLINE_EXCEEDED, _TIMED_OUT) from error


async def _decode(request: Message, body: bytes | bytearray) -> Message:
    """Parse a request.

    gRPC's libraries answer INTERNAL if that fails, which is the code of a server's own faults.
    """
    try:
        if len(body) < _LARGE:
            return request.FromString(body)
        return await asyncio.to_thread(request.FromString, body)
    except DecodeError as error:
        text = f"the request is not a {request.DESCRIPTOR.full_name}: {error}"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error


async def _encode(response: Message) -> bytes:
    data: bytes
    try:
        if response.ByteSize() < _LARGE:
            data = response.SerializeToString()
        else:
            data = await asyncio.to_thread(response.SerializeToString)
    except EncodeError as error:
        text = "the response is larger than a message may be, 2 GiB"
        raise StatusError(Code.RESOURCE_EXHAUSTED, text) from error
    return data
