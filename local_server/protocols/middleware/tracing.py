"""Spans of REST and gRPC requests: `TracedHttp` wraps an HTTP application, `TracedGrpc` a gRPC one.

Each request has a span of its own, so none is answered together with others of its turn.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from inspect import iscoroutinefunction

from ...deferred import Deferred, Outcome
from ...inference.observation import REQUEST_OBSERVER
from ...status import Code, StatusError
from ...tracing.tracer import Span, Tracer
from ...transport.grpc_types import Call, GrpcApplication, Handler, Message, Method, Service
from ...transport.types import Application, Head, Request, Response

_MODEL = re.compile(
    r"(/v1/models/)[^/:]+(?:/(versions|labels)/[^/:]+)?(/metadata|:[a-z]+)?", re.ASCII
)
_FAILURES = frozenset(
    {Code.UNKNOWN, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE}
    | {Code.DATA_LOSS}
)
"""The codes that are errors of a server (OpenTelemetry, "gRPC status codes")."""
_SERVER_ERROR = 500


class TracedHttp:
    """Traces the requests of an application (an Application)."""

    def __init__(self, tracer: Tracer, app: Application) -> None:
        self._tracer = tracer
        self._app = app

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit."""
        return self._app.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass the request on, within a span."""
        span = self._start(request.head)
        try:
            with _observed_by(span):
                answer = self._app.handle(request)
        except BaseException as error:
            _end(span, error)
            raise
        if isinstance(answer, Response):
            _end(span, answer)
            return answer
        if isinstance(answer, Deferred):
            answer.then(lambda outcome: _end(span, outcome))
            return answer
        return _follow(span, answer)

    def _start(self, head: Head) -> Span:
        route = route_of(head.path)
        attributes = {
            "http.request.method": head.method,
            "url.path": head.path,
            "url.scheme": "http",
            **({"http.route": route} if route else {}),
        }
        name = f"{head.method} {route}" if route else head.method
        return self._tracer.start(name, head.headers, attributes)


@lru_cache(1024)
def route_of(path: str) -> str:
    """Return the route of a path, without the names of models; "" for any other path."""
    match = _MODEL.fullmatch(path)
    if match is None:
        return ""
    begin, kind, end = match.groups("")
    version = f"/{kind}/{{{kind.removesuffix('s')}}}" if kind else ""
    return f"{begin}{{model}}{version}{end}"


@contextmanager
def _observed_by(span: Span) -> Iterator[None]:
    token = REQUEST_OBSERVER.set(span.observe)
    try:
        yield
    finally:
        REQUEST_OBSERVER.reset(token)


async def _follow(span: Span, answer: Awaitable[Response]) -> Response:
    try:
        with _observed_by(span):
            response = await answer
    except BaseException as error:
        _end(span, error)
        raise
    _end(span, response)
    return response


def _end(span: Span, outcome: Outcome[Response]) -> None:
    if isinstance(outcome, BaseException):
        span.end({}, type(outcome).__name__)
        return
    status = outcome.status
    span.end({"http.response.status_code": status}, str(status) if status >= _SERVER_ERROR else "")


class TracedGrpc:
    """Traces the calls of an application (a GrpcApplication)."""

    def __init__(self, tracer: Tracer, app: GrpcApplication) -> None:
        self._tracer = tracer
        self._app = app

    def services(self) -> Sequence[Service]:
        """Return the application's services with traced methods, which have no fast path."""
        return [
            replace(
                service,
                methods={
                    name: replace(
                        method, handle=self._traced(service.name, name, method), fast_path=None
                    )
                    for name, method in service.methods.items()
                },
            )
            for service in self._app.services()
        ]

    def _traced(self, service: str, name: str, method: Method) -> Handler:
        handle, path = method.handle, f"{service}/{name}"
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

        def start(call: Call) -> Span:
            return self._tracer.start(path, _headers(call), attributes)

        async def follow(call: Call, request: Message) -> Message:
            span = start(call)
            try:
                with _observed_by(span):
                    response = await handle(call, request)
            except BaseException as error:
                _end_call(span, error)
                raise
            _end_call(span, response)
            return response

        def listen(call: Call, request: Message) -> Awaitable[Message]:
            span = start(call)
            try:
                with _observed_by(span):
                    answer = handle(call, request)
            except BaseException as error:
                _end_call(span, error)
                raise
            assert isinstance(answer, Deferred)
            answer.then(lambda outcome: _end_call(span, outcome))
            return answer

        return follow if iscoroutinefunction(handle) else listen


def _headers(call: Call) -> Mapping[str, str]:
    return {key: value for key, value in call.metadata if isinstance(value, str)}


def _end_call(span: Span, outcome: Outcome[Message]) -> None:
    code = Code.OK
    if isinstance(outcome, StatusError):
        code = outcome.code
    elif isinstance(outcome, BaseException):
        is_cancelled = isinstance(outcome, asyncio.CancelledError)
        code = Code.CANCELLED if is_cancelled else Code.INTERNAL
    span.end({"rpc.grpc.status_code": code.value}, code.name if code in _FAILURES else "")
