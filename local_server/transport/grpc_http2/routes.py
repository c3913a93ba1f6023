"""The method and metadata of a request: derived once for all requests with the same head."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TypeAlias

from ...status import Code, StatusError
from ..grpc_types import Admit, Call, Message, Method, Service
from ..http2.wire.request_head import Field, RequestHead
from .fast_calls import FastCalls
from .messages import check_encoding
from .wire import read_metadata, read_timeout

_IDENTITY = b"identity"
_CONTENT_TYPE = b"application/grpc"

StreamHandler: TypeAlias = Callable[[Call, AsyncIterator[Message]], AsyncIterator[Message]]
"""Answers decoded requests with responses until either side ends, or raises StatusError."""


@dataclass(frozen=True, slots=True)
class StreamMethod:
    """A method with a stream of requests and a stream of responses."""

    request: Message
    handle: StreamHandler
    admit: Admit | None = None


AnyMethod: TypeAlias = Method | StreamMethod
Methods: TypeAlias = Mapping[bytes, AnyMethod]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, and the parts of a call that precede its first message."""

    method: AnyMethod
    path: str
    metadata: tuple[tuple[str, str | bytes], ...]
    timeout: float | None
    encoding: bytes
    is_coroutine: bool
    """Whether the method's handler is a coroutine function, which needs a task."""
    authority: str = ""
    fast: FastCalls | None = None
    """The calls of the method that are answered together, if a call may wait for the others."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that does not depend on the request's body: HTTP fields, or a status."""

    status: StatusError | None = None
    fields: tuple[Field, ...] = ()


def methods_of(services: Sequence[Service]) -> dict[bytes, AnyMethod]:
    """Return the methods of services by their paths."""
    return {
        f"/{service.name}/{name}".encode(): method
        for service in services
        for name, method in service.methods.items()
    }


def find_route(methods: Methods, head: RequestHead, max_list_size: int) -> Route | Refusal:
    """Return the route of a head, or its refusal."""
    if head.size > max_list_size:
        text = f"metadata of {head.size} bytes, where {max_list_size} are allowed"
        return Refusal(StatusError(Code.RESOURCE_EXHAUSTED, text))
    if head.method != b"POST":
        return Refusal(fields=((b":status", b"405"), (b"allow", b"POST")))
    known = dict(head.fields)
    if not _is_grpc(known.get(b"content-type", b"")):
        return Refusal(fields=((b":status", b"415"),))
    method = methods.get(head.path)
    if method is None:
        return Refusal(StatusError(Code.UNIMPLEMENTED, "Method not found!"))
    try:
        return _read_route(method, head, known)
    except StatusError as error:
        return Refusal(error)


def _is_grpc(content_type: bytes) -> bool:
    rest = content_type.removeprefix(_CONTENT_TYPE)
    return rest != content_type and (not rest or rest[:1] in b"+;")


def _read_route(method: AnyMethod, head: RequestHead, known: Mapping[bytes, bytes]) -> Route:
    encoding = known.get(b"grpc-encoding", _IDENTITY)
    check_encoding(encoding)
    timeout = known.get(b"grpc-timeout")
    return Route(
        method,
        head.path.decode("ascii", "replace"),
        read_metadata(head.fields),
        None if timeout is None else read_timeout(timeout),
        encoding,
        iscoroutinefunction(method.handle),
        head.authority.decode("ascii", "replace"),
    )
