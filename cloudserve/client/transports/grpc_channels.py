"""TensorFlow Serving's PredictionService over grpcio: for threads, and for an event loop.

grpcio is imported when the first channel is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cloudserve.client.payloads.proto_form import (
    decode_metadata,
    decode_predict,
    encode_metadata,
    encode_predict,
)
from cloudserve.client.retry import not_connected
from cloudserve.client.transports.access import Access
from cloudserve.client.transports.address import ServerAddress
from cloudserve.client.transports.channel import Call, Contract, Reply
from cloudserve.errors import LostAnswerError, RemoteError
from cloudserve.registry import needs_extra

_SERVICE = "/tensorflow.serving.PredictionService/"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # This package retries, within its own deadline. A reconnect waits no longer than a retry.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
_NO_METADATA = frozenset({"UNIMPLEMENTED", "NOT_FOUND", "INVALID_ARGUMENT"})
_NOT_CONNECTED = re.compile(
    "failed to connect|connection refused|name resolution|DNS", re.IGNORECASE
)
_FULL = re.compile("queue .*is full")
"""TensorFlow Serving's refusal of a request that it did not process (batch_scheduler)."""
_HINTS = {
    "INVALID_ARGUMENT": "correct the request",
    "NOT_FOUND": "check the model's name and version",
    "UNAUTHENTICATED": "give a token: `access=Access(token=…)`, or --auth-token-file",
    "UNIMPLEMENTED": "check that the port is TensorFlow Serving's gRPC port",
    "UNAVAILABLE": "try again later",
}


@dataclass(frozen=True, slots=True)
class PredictionService:
    """The messages of one model."""

    address: ServerAddress

    @property
    def where(self) -> str:
        """Return the address."""
        return self.address.where

    @property
    def limit(self) -> int:
        """Return 0: the server's limit is 2 GB, that of protobuf."""
        return 0

    @property
    def pins(self) -> bool:
        """Return False: answers name the version."""
        return False

    def encode(self, call: Call) -> bytes:
        """Return a serialized PredictRequest."""
        if call.spec is None:
            raise RemoteError(
                "the server does not tell the model's signatures, which gRPC requests need",
                where=self.where,
                hint="check the model's name, or use the server's REST port",
            )
        return encode_predict(self.address.model, call)


class GrpcChannel:
    """gRPC for threads."""

    def __init__(self, address: ServerAddress, access: Access) -> None:
        self.wire = PredictionService(address)
        self._access = access
        self._channel = _open(address, access, is_async=False)

    def describe(self, version: str, seconds: float) -> Contract | None:
        """Call GetModelMetadata; see Channel."""
        request = encode_metadata(self.wire.address.model, version)
        try:
            data = self._call("GetModelMetadata", request, seconds)
        except RemoteError as error:
            if _has_no_metadata(error):
                return None
            raise
        return decode_metadata(data, self.wire.where)

    def confirm(self, version: str) -> bool:
        """Return True: the signatures are the server's own."""
        del version
        return True

    def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Call Predict; see Channel."""
        del call
        return decode_predict(self._call("Predict", request, seconds), self.wire.where)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _call(self, method: str, request: bytes, seconds: float) -> bytes:
        import grpc

        call = self._channel.unary_unary(_SERVICE + method)
        try:
            data: bytes = call(request, timeout=seconds, metadata=_metadata(self._access))
        except grpc.RpcError as error:
            raise _failure(error, self.wire.where, seconds) from error
        return data


class AsyncGrpcChannel:
    """gRPC for an event loop."""

    def __init__(self, address: ServerAddress, access: Access) -> None:
        self.wire = PredictionService(address)
        self._access = access
        self._channel = _open(address, access, is_async=True)

    async def describe(self, version: str, seconds: float) -> Contract | None:
        """Call GetModelMetadata; see Channel."""
        request = encode_metadata(self.wire.address.model, version)
        try:
            data = await self._call("GetModelMetadata", request, seconds)
        except RemoteError as error:
            if _has_no_metadata(error):
                return None
            raise
        return decode_metadata(data, self.wire.where)

    async def confirm(self, version: str) -> bool:
        """Return True: the signatures are the server's own."""
        del version
        return True

    async def send(self, call: Call, request: bytes, seconds: float) -> Reply:
        """Call Predict; see Channel."""
        del call
        return decode_predict(await self._call("Predict", request, seconds), self.wire.where)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def _call(self, method: str, request: bytes, seconds: float) -> bytes:
        import grpc

        call = self._channel.unary_unary(_SERVICE + method)
        try:
            data: bytes = await call(request, timeout=seconds, metadata=_metadata(self._access))
        except grpc.RpcError as error:
            raise _failure(error, self.wire.where, seconds) from error
        return data


@needs_extra("the client of gRPC servers", "client")
def _open(address: ServerAddress, access: Access, *, is_async: bool) -> Any:
    import grpc

    if is_async:
        from grpc import aio as api
    else:
        api = grpc
    if not address.is_secure:
        return api.insecure_channel(address.base, options=_OPTIONS)
    access.ssl_context()  # grpcio ends the process for some files, and only logs about others
    credentials = grpc.ssl_channel_credentials(
        access.pem(access.ca_file),
        access.pem(access.key_file or access.certificate_file),
        access.pem(access.certificate_file),
    )
    return api.secure_channel(address.base, credentials, options=_OPTIONS)


def _metadata(access: Access) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in access.headers_now().items())


def _has_no_metadata(error: RemoteError) -> bool:
    """Return whether the server has no metadata of this model, or none at all."""
    code = getattr(error.__cause__, "code", None)
    return code is not None and code().name in _NO_METADATA


def _failure(error: Any, where: str, seconds: float) -> RemoteError:
    code, details = error.code().name, " ".join((error.details() or "no message").split())
    if code == "DEADLINE_EXCEEDED":
        return LostAnswerError(
            f"no answer within {seconds:.3g} s",
            where=where,
            hint="give more time, or smaller batches",
        )
    if code == "UNAVAILABLE" and not _FULL.search(details):
        return _without_connection(details, where)
    return RemoteError(
        f"the prediction failed with {code}: {details}",
        where=where,
        hint=_HINTS.get(code, "read the server's log"),
        retryable=code == "UNAVAILABLE",
    )


def _without_connection(details: str, where: str) -> RemoteError:
    if _NOT_CONNECTED.search(details):
        return not_connected("gRPC server", details, where)
    # grpcio does not tell a server's own UNAVAILABLE from a connection that ended.
    return LostAnswerError(
        f"no answer (UNAVAILABLE): {details}",
        where=where,
        hint="look at the server's log; the model may have run",
    )
