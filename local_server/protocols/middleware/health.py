"""Health, readiness and the list of models over HTTP.

`GET /healthz`, `GET /readyz` and `GET /v1/models`, which TensorFlow Serving does not have
(its issues 671, 741, 795). Other requests are passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from ...models import VersionState
from ...transport.types import Application, Head, Request, Response, Together, together_of
from ..version_json import print_json, version_json

_JSON = "application/json"
_NO_BODY = 0


class ServerStatus(Protocol):
    """The state of a server's models."""

    @property
    def is_stopping(self) -> bool:
        """Return whether the server is shutting down."""
        ...

    def unavailable(self) -> Sequence[str]:
        """Return the configured models that have no available version."""
        ...

    def models(self) -> Mapping[str, Sequence[VersionState]]:
        """Return the states of every configured model's versions, highest first."""
        ...

    def labels(self, name: str) -> Mapping[str, int]:
        """Return a model's labels and their versions."""
        ...


class Health:
    """Answers questions about the server; passes other requests on (an Application)."""

    def __init__(self, status: ServerStatus, app: Application) -> None:
        self._status = status
        self._app = app
        self._answers = {
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/v1/models": self._models,
        }

    def body_limit(self, head: Head) -> int | None:
        """Return 0 for questions about the server, else the application's limit."""
        return _NO_BODY if self._is_own(head) else self._app.body_limit(head)

    def together(self, head: Head) -> Together | None:
        """Return the application's function; None for questions about the server."""
        return None if self._is_own(head) else together_of(self._app, head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a question about the server, or pass the request on."""
        if self._is_own(request.head):
            return self._answers[request.head.target]()
        return self._app.handle(request)

    def _is_own(self, head: Head) -> bool:
        return head.method in {"GET", "HEAD"} and head.target in self._answers

    def _alive(self) -> Response:
        return _json(200, {"status": "alive"})

    def _ready(self) -> Response:
        """Answer 503 while models are unavailable, so that no requests are sent here yet."""
        if self._status.is_stopping:
            return _json(503, {"status": "stopping"})
        missing = self._status.unavailable()
        if missing:
            return _json(503, {"status": "not ready", "unavailable": list(missing)})
        return _json(200, {"status": "ready"})

    def _models(self) -> Response:
        listed = [self._model(name, states) for name, states in self._status.models().items()]
        return _json(200, {"models": listed})

    def _model(self, name: str, states: Sequence[VersionState]) -> dict[str, Any]:
        return {
            "name": name,
            "model_version_status": [version_json(state) for state in states],
            # An int64 is a string in protobuf's JSON, as in the status of one model.
            "version_labels": {
                label: str(version) for label, version in self._status.labels(name).items()
            },
        }


def _json(status: int, message: dict[str, Any]) -> Response:
    return Response(status, print_json(message), _JSON)
