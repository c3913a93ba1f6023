"""gRPC calls with serialized messages: over HTTP/2 frames, or through grpcio's aio client.

grpcio exchanges single requests, and all of them over TLS. It costs the load generator 150 us and
more per call; plain connections are `http2_channel`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio

from cloudserve.bench.target import Target
from cloudserve.errors import RemoteError, UnreachableError

from ...messages import message_class
from ..measurement.slots import TIMEOUT, UNAVAILABLE, Answer, Slot
from ..payloads import fill_spec
from .http2_calls import CALLS_PER_CHANNEL, CallSlot, SharedChannel
from .http2_channel import call_head

_SERVICE = "/tensorflow.serving.PredictionService/"
_UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
]
_PREFIX = 5
"""Bytes before a gRPC message: a flag for compression, and the length."""
_RETRY_SECONDS = 0.05
_ASK_SECONDS = 60.0
_HINTS = {
    "INVALID_ARGUMENT": "give a request that the model accepts: --payload FILE, or --shape",
    "NOT_FOUND": "check the model's name and version",
    "UNAUTHENTICATED": "give a token: --auth-token-file FILE",
    "UNIMPLEMENTED": "check that the port is TensorFlow Serving's gRPC port",
}


class GrpcSlot:
    """One call in flight on a shared channel."""

    def __init__(self, call: Callable[..., Any], metadata: list[tuple[str, str]]) -> None:
        self.done: Callable[[Any, str | None], None] = lambda _slot, _failure: None
        self.intended = 0
        self._call = call
        self._metadata = metadata
        self._task: asyncio.Task[None] | None = None
        self._sent = 0

    def send(self, request: bytes) -> None:
        """Start a call; see Slot."""
        self._sent = time.perf_counter_ns()
        self._task = asyncio.ensure_future(self._finish(request))

    async def _finish(self, request: bytes) -> None:
        failure = None
        try:
            await self._call(request[_PREFIX:], metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            failure = error.code().name
            if failure == UNAVAILABLE:
                # Without a pause the next call would fail immediately: a busy loop.
                await asyncio.sleep(_RETRY_SECONDS)
        self._sent = 0
        self.done(self, failure)

    def expire(self, before: int) -> None:
        """Cancel a call that was started before this time; see Slot."""
        if 0 < self._sent < before and self._task is not None:
            self._sent = 0
            self._task.cancel()
            self.done(self, TIMEOUT)

    def close(self) -> None:
        """Cancel the call in flight."""
        if self._task is not None:
            self._task.cancel()


class GrpcWire:
    """TensorFlow Serving's PredictionService on one channel."""

    def __init__(
        self, target: Target, headers: Mapping[str, str], roots: bytes | None = None
    ) -> None:
        self._target = target
        self._metadata = [(name.lower(), value) for name, value in headers.items()]
        self._channel = (
            grpc.aio.secure_channel(
                target.authority, grpc.ssl_channel_credentials(roots), options=_UNLIMITED
            )
            if target.is_secure
            else grpc.aio.insecure_channel(target.authority, options=_UNLIMITED)
        )
        self._slots: list[GrpcSlot] = []
        self._channels: list[SharedChannel] = []

    def prepare(self, body: bytes) -> bytes:
        """Return a serialized PredictRequest behind gRPC's prefix; see Wire."""
        return b"\0" + len(body).to_bytes(_PREFIX - 1) + body

    async def open(self, count: int) -> list[Slot]:
        """Return slots that share connections; see Wire."""
        if not self._target.is_secure:
            return await self._open_plain(count)
        call = self._channel.unary_unary(f"{_SERVICE}Predict")
        self._slots += (slots := [GrpcSlot(call, self._metadata) for _ in range(count)])
        return list(slots)

    async def _open_plain(self, count: int) -> list[Slot]:
        head = call_head(f"{_SERVICE}Predict", self._target.authority, self._metadata)
        number = -(-count // CALLS_PER_CHANNEL)
        self._channels = [SharedChannel(self._target, head) for _ in range(number)]
        try:
            await asyncio.gather(*(channel.open() for channel in self._channels))
        except OSError as error:
            message = f"no server answers at {self._target.authority}: {error.strerror}"
            raise UnreachableError(
                message, where=self._target.url, hint="start the server, or check host and port"
            ) from error
        return [CallSlot(self._channels[index % number]) for index in range(count)]

    async def ask(self, request: bytes) -> Answer:
        """Call Predict once; see Wire."""
        return await self._exchange("Predict", request[_PREFIX:])

    async def _exchange(self, method: str, request: bytes) -> Answer:
        call = self._channel.unary_unary(_SERVICE + method)
        try:
            return Answer(None, await call(request, metadata=self._metadata, timeout=_ASK_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise self._unreachable(error) from error
            return Answer(error.code().name, (error.details() or "").encode())

    def _unreachable(self, error: grpc.aio.AioRpcError) -> UnreachableError:
        return UnreachableError(
            f"no gRPC server answers at {self._target.authority}: {error.details()}",
            where=self._target.url,
            hint="check that the server runs, and its address and gRPC port",
        )

    async def metadata(self) -> Any:
        """Return the signatures of GetModelMetadata; see Wire."""
        request = message_class("tensorflow.serving.GetModelMetadataRequest")()
        fill_spec(request.model_spec, self._target)
        request.metadata_field.append("signature_def")
        answer = await self._exchange("GetModelMetadata", request.SerializeToString())
        if answer.failure:
            raise self.refusal(answer, "GetModelMetadata")
        response = message_class("tensorflow.serving.GetModelMetadataResponse")
        packed = response.FromString(answer.body).metadata["signature_def"]
        return message_class("tensorflow.serving.SignatureDefMap").FromString(packed.value)

    def refusal(self, answer: Answer, request: str = "the prediction") -> RemoteError:
        """Return the error of a failed call; see Wire."""
        words = answer.body.decode(errors="replace") or "no message"
        return RemoteError(
            f"{request} failed with {answer.failure}: {words}",
            where=self._target.url,
            hint=_HINTS.get(answer.failure or ""),
        )

    async def close(self) -> None:
        """Close the channel; see Wire."""
        for slot in self._slots:
            slot.close()
        for channel in self._channels:
            channel.close()
        await self._channel.close()
