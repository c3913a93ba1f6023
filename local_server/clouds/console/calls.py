"""The last calls of the clouds' APIs: service, operation, status, time and the error's text.

Changes and queries are always kept, so that a page which is opened after a failure shows it.
Predictions and objects are kept while a page is open, and when they fail. No body is kept.
"""

from __future__ import annotations

import inspect
import re
import time
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import count
from urllib.parse import unquote

import msgspec

from ...transport.types import Application, Head, Request, Response
from ..aws.protocol.arns import scope
from ..objects.routing import is_gcs, is_s3

MOST_CALLS = 500
_LONGEST = 600
_FAILED = 400
_OWN = "/_cloudserve/"
_INVOCATION = re.compile(r"/endpoints/([^/]+)/(async-)?invocations")
_PREDICTION = re.compile(r":(?:predict|rawPredict|streamRawPredict|directRawPredict)$")
_MESSAGE = re.compile(r'"[mM]essage"\s*:\s*"((?:[^"\\]|\\.)*)"|<Message>([^<]*)</Message>')
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_TARGETS = {
    "SageMaker": "SageMaker",
    "GraniteServiceVersion20100801": "CloudWatch",
    "Logs_20140328": "CloudWatch Logs",
    "AmazonEC2ContainerRegistry_V20150921": "ECR",
    "AnyScaleFrontendService": "Auto Scaling",
}
_GOOGLE = (
    ("/storage/", "Cloud Storage"),
    ("/locations/", "Vertex AI"),
    ("/timeSeries", "Cloud Monitoring"),
    ("/entries", "Cloud Logging"),
    ("/token", "OAuth"),
)
_S3_OBJECT = {
    "GET": "GetObject",
    "PUT": "PutObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
}
_S3_BUCKET = {
    "GET": "ListObjects",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call, without its body."""

    id: int
    time: float
    service: str
    operation: str
    resource: str
    """The path of its URL, without the query, which may hold a signature."""
    status: int
    """0 if the connection was dropped."""
    millis: float
    error: str


class CallLog:
    """Keeps the last calls to an application, and passes them on (an Application)."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self._ids = count(1)
        self.followers = 0
        """How many pages are open."""

    def since(self, last: int) -> tuple[Call, ...]:
        """Return the kept calls after the one with this number."""
        return tuple(call for call in tuple(self._calls) if call.id > last)

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit."""
        return self._app.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass a request on, and keep its outcome."""
        if request.head.path.startswith(_OWN):
            return self._app.handle(request)
        return self._follow(request)

    async def _follow(self, request: Request) -> Response:
        began = time.perf_counter()
        response: Response | None = None
        try:
            answer = self._app.handle(request)
            response = await answer if inspect.isawaitable(answer) else answer
        finally:
            self._keep(request, response, time.perf_counter() - began)
        return response

    def _keep(self, request: Request, response: Response | None, seconds: float) -> None:
        status = response.status if response else 0
        is_failure = status >= _FAILED or not status
        if not (is_failure or self.followers) and _is_data(request.head):
            return
        service, operation = named(request)
        self._calls.append(
            Call(
                next(self._ids),
                time.time(),
                service,
                operation,
                unquote(request.head.path)[:_LONGEST],
                status,
                round(seconds * 1e3, 2),
                _error(response) if is_failure else "",
            )
        )


def named(request: Request) -> tuple[str, str]:
    """Return the names of a call's service and operation."""
    head = request.head
    target, _, operation = head.headers.get("x-amz-target", "").partition(".")
    if operation:
        return _TARGETS.get(target, target), operation
    invocation = _INVOCATION.match(head.path)
    if invocation:
        return "SageMaker Runtime", f"InvokeEndpoint{'Async' if invocation[2] else ''}"
    if is_s3(head):
        return "S3", _s3_operation(head)
    action = _ACTION.search(request.content[:4096])
    if action:
        signed = scope(head)
        return signed.service.upper() if signed else "AWS", action[1].decode()
    return _google(head)


def _s3_operation(head: Head) -> str:
    bucket, _, key = head.path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    kinds = _S3_OBJECT if key else _S3_BUCKET
    name = kinds.get(head.method, head.method)
    for parameter in head.query.split("&"):
        key, _, value = parameter.partition("=")
        if (key and not value and "=" not in parameter) or key == "uploadId":
            return f"{name} ?{key}"  # a part of an object or bucket, such as `?tagging`
    return name


def _google(head: Head) -> tuple[str, str]:
    service = next((name for part, name in _GOOGLE if part in head.path), "AI Platform")
    if is_gcs(head):
        return service, f"{head.method} {'objects' if '/o' in head.path else 'buckets'}"
    path, _, verb = head.path.partition(":")
    # /v1/projects/NAME/locations/NAME/endpoints/NAME: collections and names take turns.
    words = path.split("/")[2:]
    collection = words[(len(words) - 1) // 2 * 2] if words else ""
    return service, f"{collection}.{verb}" if verb else f"{head.method} {collection}".rstrip()


def _is_data(head: Head) -> bool:
    """Return whether a call is a prediction or about an object's bytes."""
    path = head.path
    return bool(_INVOCATION.match(path) or _PREDICTION.search(path)) or is_s3(head) or is_gcs(head)


def _error(response: Response | None) -> str:
    if response is None:
        return "the connection was dropped"
    if not isinstance(response.body, bytes):
        return ""
    text = response.body[: 16 * _LONGEST].decode("utf-8", "replace")
    match = _MESSAGE.search(text)
    if match is None:
        return text[:_LONGEST]
    return (match[2] or _unescaped(match[1] or ""))[:_LONGEST]


def _unescaped(text: str) -> str:
    """Return the text of a JSON string."""
    try:
        return str(msgspec.json.decode(f'"{text}"'))
    except msgspec.DecodeError:  # it was cut
        return text
