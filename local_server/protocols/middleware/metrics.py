"""The metrics page, and counters of REST and gRPC requests as in TensorFlow Serving.

`MetricsApp` wraps an HTTP application, `CountedGrpc` a gRPC application.
Source: tensorflow_serving/model_servers/http_server.cc, prediction_service_impl.cc.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import lru_cache
from inspect import iscoroutinefunction
from time import perf_counter
from urllib.parse import unquote

from ...deferred import Deferred, Outcome
from ...monitoring.exposition import CONTENT_TYPE
from ...monitoring.monitoring_config import DEFAULT_PATH
from ...monitoring.serving_metrics import ServingMetrics
from ...status import Code, StatusError
from ...transport.grpc_types import (
    Call,
    FastPath,
    GrpcApplication,
    Handler,
    Message,
    Method,
    RequestForm,
    RequestGroup,
    Service,
)
from ...transport.types import Application, Head, Request, Response, Together, together_of
from ..errors import ErrorResponse

_NO_BODY = 0
_REST = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/(?:versions|labels)/[^/:]+)?"
    r"(?:/metadata|:(?P<api>predict|classify|regress))?",
    re.IGNORECASE | re.ASCII,
)
_API = re.compile(r"/v1/.*", re.IGNORECASE | re.ASCII)
# Codes of responses that have none (libevent's own, a refused OPTIONS).
_CODES = {400: Code.INVALID_ARGUMENT, 404: Code.NOT_FOUND}
_LEAST_FAILURE = 400
_COUNTED = frozenset({"Predict", "Classify", "Regress"})


class MetricsApp:
    """Serves the metrics page and counts the requests of an application (an Application)."""

    def __init__(self, metrics: ServingMetrics, app: Application, path: str = DEFAULT_PATH) -> None:
        self._metrics = metrics
        self._app = app
        self._path = path
        self._counted = lru_cache(256)(self._count_all)

    def body_limit(self, head: Head) -> int | None:
        """Return 0 for the metrics page, else the application's limit."""
        return _NO_BODY if head.path == self._path else self._app.body_limit(head)

    def together(self, head: Head) -> Together | None:
        """Return the application's function, whose responses are counted together."""
        together = None if head.path == self._path else together_of(self._app, head)
        named = _named(head.target)
        return self._counted(together, named) if together and named else together

    def _count_all(self, together: Together, named: tuple[str, str]) -> Together:
        def answer(requests: Sequence[Request]) -> Sequence[Response | None]:
            began = perf_counter()
            answers = together(requests)
            succeeded = 0
            for answer in answers:
                code = _code(answer) if answer is not None else None
                if code is Code.OK:
                    succeeded += 1
                elif code is not None:
                    self._count(named, code, began)
            if succeeded:
                self._count(named, Code.OK, began, succeeded)
            return answers

        return answer

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer with the metrics, whatever the method; or pass the request on."""
        head = request.head
        if head.path == self._path:
            return self._page(head)
        named = _named(head.target)
        if named is None:
            return self._app.handle(request)
        began = perf_counter()
        answer = self._app.handle(request)
        if isinstance(answer, Response):
            self._count(named, _code(answer), began)
            return answer
        if isinstance(answer, Deferred):
            answer.then(lambda outcome: self._count(named, _code_of(outcome), began))
            return answer
        return self._follow(named, answer, began)

    async def _follow(
        self, named: tuple[str, str], answer: Awaitable[Response], began: float
    ) -> Response:
        code = Code.INTERNAL
        try:
            response = await answer
            code = _code(response)
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        finally:
            self._count(named, code, began)
        return response

    def _count(self, named: tuple[str, str], code: Code, began: float, count: int = 1) -> None:
        self._metrics.answered(*named, "REST", code, perf_counter() - began, count)

    def _page(self, head: Head) -> Response:
        if head.query:
            text = f"Unexpected path: {head.target}. Should be {self._path}"
            return Response(400, text.encode("utf-8", "surrogateescape"), CONTENT_TYPE)
        return Response(200, self._metrics.page(), CONTENT_TYPE)


@lru_cache(maxsize=1024)
def _named(target: str) -> tuple[str, str] | None:
    """Return the model and the API that a URL names, each "" if absent; None if it is not REST."""
    if not _API.fullmatch(target):
        return None
    match = _REST.fullmatch(target)
    if match is None:
        return "", ""
    return unquote(match["model"]), match["api"] or ""


def _code_of(outcome: Outcome[Response]) -> Code:
    if isinstance(outcome, asyncio.CancelledError):
        return Code.CANCELLED
    return _code(outcome) if isinstance(outcome, Response) else Code.INTERNAL


def _code(response: Response) -> Code:
    if isinstance(response, ErrorResponse):
        return response.code
    if response.status < _LEAST_FAILURE:
        return Code.OK
    return _CODES.get(response.status, Code.UNKNOWN)


class CountedGrpc:
    """Counts predictions, classifications and regressions over gRPC (a GrpcApplication)."""

    def __init__(self, metrics: ServingMetrics, app: GrpcApplication) -> None:
        self._metrics = metrics
        self._app = app

    def services(self) -> Sequence[Service]:
        """Return the application's services with counted methods."""
        return [
            replace(service, methods={n: self._counted(n, m) for n, m in service.methods.items()})
            for service in self._app.services()
        ]

    def _counted(self, name: str, method: Method) -> Method:
        if name not in _COUNTED:
            return method
        path = method.fast_path
        return replace(
            method,
            handle=_count(self._metrics, name, method.handle),
            fast_path=path and _CountedFastPath(self._metrics, name, path),
        )


class _CountedFastPath:
    """Counts the requests that a fast path answers (a FastPath)."""

    def __init__(self, metrics: ServingMetrics, api: str, path: FastPath) -> None:
        self._metrics = metrics
        self._api = api
        self._path = path
        self.recognize = path.recognize

    def answer(
        self, group: RequestGroup, parts: Sequence[tuple[RequestForm, bytes]]
    ) -> Sequence[bytes | None]:
        """Return the path's responses, and count them together."""
        began = perf_counter()
        answers = self._path.answer(group, parts)
        count = len(answers) - answers.count(None)
        if count:
            seconds = perf_counter() - began
            self._metrics.answered(group.model, self._api, "GRPC", Code.OK, seconds, count)
        return answers


def _count(metrics: ServingMetrics, api: str, handle: Handler) -> Handler:
    def count(request: Message, code: Code, began: float) -> None:
        metrics.answered(request.model_spec.name, api, "GRPC", code, perf_counter() - began)

    async def follow(call: Call, request: Message) -> Message:
        began = perf_counter()
        try:
            response = await handle(call, request)
        except BaseException as error:
            count(request, _grpc_code(call, error, began), began)
            raise
        count(request, Code.OK, began)
        return response

    def listen(call: Call, request: Message) -> Awaitable[Message]:
        began = perf_counter()
        try:
            answer = handle(call, request)
        except Exception as error:
            count(request, _grpc_code(call, error, began), began)
            raise
        assert isinstance(answer, Deferred)
        answer.then(lambda outcome: count(request, _grpc_code(call, outcome, began), began))
        return answer

    return follow if iscoroutinefunction(handle) else listen


def _grpc_code(call: Call, outcome: Outcome[Message], began: float) -> Code:
    if not isinstance(outcome, BaseException):
        return Code.OK
    if isinstance(outcome, asyncio.CancelledError):
        return _why_cancelled(call, perf_counter() - began)
    return outcome.code if isinstance(outcome, StatusError) else Code.INTERNAL


def _why_cancelled(call: Call, seconds: float) -> Code:
    """Return DEADLINE_EXCEEDED if the deadline has passed, CANCELLED if the client is gone."""
    limit = call.deadline_seconds
    return Code.CANCELLED if limit is None or seconds < limit else Code.DEADLINE_EXCEEDED
