"""A unary call from request bytes to response bytes, independent of the gRPC library."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from google.protobuf.message import DecodeError, EncodeError

from ...status import Code, StatusError
from ..grpc_types import Call, CallError, Message, Method

logger = logging.getLogger(__name__)

# grpc_status_util.cc: `kErrorMessageLimit`, in bytes.
_LONGEST_TEXT = 1024
_CUT = "...TRUNCATED"
# The text of TensorFlow's session after `RunOptions.timeout_in_ms`.
_TIMED_OUT = "Timed out waiting for notification"
# Larger messages are parsed and serialized in a thread: a megabyte takes about half a
# millisecond, a hand-over a tenth of one.
LARGE = 2**20


async def answer(method: Method, call: Call, body: bytes | bytearray) -> bytes:
    """Decode a request, call its handler within the deadline, and encode the response.

    Raises StatusError, with a text of at most 1024 bytes and a mark if it was cut. If the deadline
    has passed or the client is gone, work that waits for a thread is never started.
    """
    try:
        return await _within_deadline(method, call, body)
    except Exception as error:
        raise status_of(call.method, error) from error


def begin(method: Method, call: Call, body: bytes | bytearray) -> Awaitable[Message]:
    """Decode a request that is not large and call its handler. Raises StatusError."""
    try:
        if method.admit is not None:
            method.admit(call)
        return method.handle(call, _parse(method.request, body))
    except Exception as error:
        raise status_of(call.method, error) from error


def status_of(path: str, error: BaseException) -> StatusError:
    """Return the status of a failed call; log an error that is not the caller's."""
    if isinstance(error, CallError):
        return error
    if isinstance(error, StatusError):
        return StatusError(error.code, cut_text(error.message))
    if isinstance(error, asyncio.CancelledError):
        return StatusError(Code.CANCELLED, "the call was cancelled")
    logger.error("%s failed", path, exc_info=error)
    return StatusError(Code.INTERNAL, "the server failed; its log says why")


def timed_out() -> StatusError:
    """Return the status of a call whose deadline has passed."""
    return StatusError(Code.DEADLINE_EXCEEDED, _TIMED_OUT)


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
            return await encode(await method.handle(call, request))
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise timed_out() from error


async def _decode(request: Message, body: bytes | bytearray) -> Message:
    if len(body) < LARGE:
        return _parse(request, body)
    return await asyncio.to_thread(_parse, request, body)


def _parse(request: Message, body: bytes | bytearray) -> Message:
    """Parse a request.

    gRPC's libraries answer INTERNAL if that fails, which is the code of a server's own faults.
    """
    try:
        return request.FromString(body)
    except DecodeError as error:
        text = f"the request is not a {request.DESCRIPTOR.full_name}: {error}"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error


async def encode(response: Message) -> bytes:
    """Serialize a response. Raises StatusError if it is too large."""
    data: bytes
    try:
        if response.ByteSize() < LARGE:
            data = response.SerializeToString()
        else:
            data = await asyncio.to_thread(response.SerializeToString)
    except EncodeError as error:
        text = "the response is larger than a message may be, 2 GiB"
        raise StatusError(Code.RESOURCE_EXHAUSTED, text) from error
    return data
