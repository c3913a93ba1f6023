"""What Vertex AI asks of a container, in front of TensorFlow Serving's REST API.

Two routes that the platform names to the container: its health, and predictions of the form
`{"instances": […], "parameters": {…}}`. A signature is named by `parameters.signature_name`, since
Vertex AI passes no other field on. Source: "Custom container requirements for inference"
(clouds.md B.3).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace

import msgspec

from ...transport.types import Application, Head, Request, Response
from ..middleware.health import Served

_NO_BODY = 0


@dataclass(frozen=True, slots=True)
class ContainerRoutes:
    """The paths that Vertex AI sends to, and the one model that answers there."""

    model: str
    predict: str
    health: str


class VertexContainer:
    """Answers the platform's routes; other requests go to the face behind (an Application)."""

    def __init__(self, routes: ContainerRoutes, served: Served, behind: Application) -> None:
        self._routes = routes
        self._served = served
        self._behind = behind

    def body_limit(self, head: Head) -> int | None:
        """Take the bodies of the face behind as that face does."""
        return _NO_BODY if self._is_health(head) else self._behind.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a health check, or hand a request on in TensorFlow Serving's form."""
        head = request.head
        if self._is_health(head):
            return self._health()
        if head.method == "POST" and head.path == self._routes.predict:
            path = f"/v1/models/{self._routes.model}:predict"
            head = replace(head, path=path, query="")
            request = replace(request, head=head, content=with_signature(request.content))
        return self._behind.handle(request)

    def _is_health(self, head: Head) -> bool:
        return head.method in {"GET", "HEAD"} and head.path == self._routes.health

    def _health(self) -> Response:
        # Anything but 200 keeps requests away; a container that stops wants none either.
        is_ready = not self._served.is_stopping and not self._served.unavailable()
        return Response(200 if is_ready else 503)


class _Parameters(msgspec.Struct, frozen=True):
    signature_name: str


class _Body(msgspec.Struct, frozen=True):
    parameters: _Parameters
    signature_name: str | None = None


def with_signature(body: bytes) -> bytes:
    """Return a body with the signature that its parameters name where the model looks for it."""
    if b'"parameters"' not in body:
        return body
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except (ValueError, RecursionError):  # it names none; whether it is a request is said behind
        return body
    if asked.signature_name is not None:
        return body
    name = msgspec.json.encode(asked.parameters.signature_name)
    return b'{"signature_name":' + name + b"," + body.lstrip()[1:]
