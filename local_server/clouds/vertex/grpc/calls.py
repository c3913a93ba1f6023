"""The gRPC calls of Vertex AI, answered by the application of its REST API.

The application sees the same requests as of REST clients, so faults, permissions, limits and
errors are the same.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from google.protobuf.message import DecodeError

from ....status import Code, StatusError
from ....transport.grpc_http2.routes import StreamMethod
from ....transport.grpc_types import Call, Message
from ....transport.types import Application, ClientGoneError, Request, Response
from .methods import PACKAGE, Methods, RpcMethod
from .transcoding import message_of, request_of, unavailable

_VERTEX: Final = (
    f"/{PACKAGE}",
    "/google.longrunning.Operations/",
    "/google.iam.v1.IAMPolicy/",
    "/google.cloud.location.Locations/",
)
_BETA: Final = "/google.cloud.aiplatform.v1beta1."
_GOOGLE: Final = b"/google."
_LARGE: Final = 32 * 1024
"""Messages of this size, or more, are converted in a thread: JSON takes milliseconds then."""


class GoogleMethods(Mapping[bytes, StreamMethod]):
    """The gRPC methods of Google's services by their paths: Vertex AI's, and refusals of others.

    A call of one message is a stream of one, so a single kind of method suffices.
    """

    def __init__(self, app: Application) -> None:
        self._calls = VertexCalls(app)
        self._method = StreamMethod(_Encoded, self._calls.answer)

    async def close(self) -> None:
        """Cancel the requests of calls that were cancelled by their clients."""
        await self._calls.close()

    def __getitem__(self, path: bytes) -> StreamMethod:
        """Return the method of a path."""
        if not path.startswith(_GOOGLE):
            raise KeyError(path)
        return self._method

    def __iter__(self) -> Iterator[bytes]:
        """Return no paths: they are known when the first call has loaded them."""
        return iter(())

    def __len__(self) -> int:
        """Return 0, as `__iter__`."""
        return 0


class VertexCalls:
    """Answers calls by an application's REST API."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._methods = Methods()
        self._running: set[asyncio.Task[Response]] = set()

    async def answer(
        self, call: Call, requests: AsyncIterator[bytes | bytearray]
    ) -> AsyncIterator[Message]:
        """Answer one call; raises StatusError."""
        _check_service(call.method)
        method = self._methods.known(call.method)
        if method is None:
            method = await asyncio.to_thread(self._methods.find, call.method)
        if method.takes_stream:
            raise unavailable(method)
        body = await _only(requests)
        if len(body) < _LARGE:
            request = _read(method, call, body)
        else:
            request = await asyncio.to_thread(_read, method, call, body)
        response = await self._handle(request)
        if _size(response) < _LARGE:
            yield message_of(method, response)
        else:
            yield await asyncio.to_thread(message_of, method, response)

    async def _handle(self, request: Request) -> Response:
        """Answer a request; it continues if the client cancels it, as over REST."""
        task = asyncio.ensure_future(self._respond(request))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Response]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # that of a call whose client is gone is nobody's

    async def close(self) -> None:
        """Cancel the requests that still run."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _respond(self, request: Request) -> Response:
        try:
            answer = self._app.handle(request)
            return await answer if inspect.isawaitable(answer) else answer
        except ClientGoneError as error:
            raise StatusError(Code.UNAVAILABLE, "Socket closed") from error


class _Encoded:
    """Requests that are parsed later, when their class is known."""

    @staticmethod
    def FromString(body: bytes | bytearray) -> bytes | bytearray:  # noqa: N802  protobuf's name
        """Return the bytes."""
        return body


def _read(method: RpcMethod, call: Call, body: bytes | bytearray) -> Request:
    try:
        message = method.request.FromString(bytes(body))
    except DecodeError as error:
        name = method.request.DESCRIPTOR.full_name
        raise StatusError(Code.INVALID_ARGUMENT, f"the request is not a {name}") from error
    return request_of(method, call, message)


def _size(response: Response) -> int:
    assert isinstance(response.body, bytes), "Vertex AI answers from memory"
    return len(response.body)


async def _only(requests: AsyncIterator[bytes | bytearray]) -> bytes | bytearray:
    """Return the message of a call of one."""
    async for body in requests:
        return body
    raise StatusError(Code.UNIMPLEMENTED, "the method takes one message")


def _check_service(path: str) -> None:
    """Raise StatusError for a method of a service that has no gRPC offline."""
    if path.startswith(_VERTEX):
        return
    if path.startswith(_BETA):
        text = "aiplatform v1beta1 is not available offline; use v1."
    else:
        service = path[1:].partition("/")[0]
        text = f"{service} is not available offline over gRPC: use its REST transport."
    raise StatusError(Code.UNIMPLEMENTED, text)
