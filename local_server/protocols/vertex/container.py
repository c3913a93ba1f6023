"""Vertex AI's container contract in front of TensorFlow Serving's REST API.

The platform names two routes to the container: its health, and predictions of the form
`{"instances": […], "parameters": {…}}`. `parameters.signature_name` names a signature, since
Vertex AI passes no other field on. Source: "Custom container requirements for inference".
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace

import msgspec

from ...transport.types import Application, Head, Request, Response
from ..middleware.health import ServerStatus

_NO_BODY = 0


@dataclass(frozen=True, slots=True)
class ContainerRoutes:
    """The paths that Vertex AI sends requests to, and the model that answers there."""

    model: str
    predict: str
    health: str


class VertexContainer:
    """Answers the platform's routes; passes other requests on (an Application)."""

    def __init__(self, routes: ContainerRoutes, status: ServerStatus, app: Application) -> None:
        self._routes = routes
        self._status = status
        self._app = app

    def body_limit(self, head: Head) -> int | None:
        """Return 0 for health checks, else the application's limit."""
        return _NO_BODY if self._is_health(head) else self._app.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a health check, or pass a request on in TensorFlow Serving's form."""
        head = request.head
        if self._is_health(head):
            return self._health()
        if head.method == "POST" and head.path == self._routes.predict:
            path = f"/v1/models/{self._routes.model}:predict"
            head = replace(head, path=path, query="")
            request = replace(request, head=head, content=with_signature(request.content))
        return self._app.handle(request)

    def _is_health(self, head: Head) -> bool:
        return head.method in {"GET", "HEAD"} and head.path == self._routes.health

    def _health(self) -> Response:
        # Any status but 200 keeps requests away; so should a container that is stopping.
        is_ready = not self._status.is_stopping and not self._status.unavailable()
        return Response(200 if is_ready else 503)


class _Parameters(msgspec.Struct, frozen=True):
    signature_name: str


class _Body(msgspec.Struct, frozen=True):
    parameters: _Parameters
    signature_name: str | None = None


def with_signature(body: bytes) -> bytes:
    """Return a body with the signature of its parameters at the place TensorFlow Serving reads."""
    if b'"parameters"' not in body:
        return body
    try:
        request = msgspec.json.decode(body, type=_Body)
    except (ValueError, RecursionError):  # the application validates the body
        return body
    if request.signature_name is not None:
        return body
    name = msgspec.json.encode(request.parameters.signature_name)
    return b'{"signature_name":' + name + b"," + body.lstrip()[1:]
