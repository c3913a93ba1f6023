"""One port for every app: each request goes to the first that takes it.

A failure inside a app is answered in that app's own form, because the official clients read
errors by their service's format and break on any other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..transport.types import ClientGoneError, Head, Request, Response

logger = logging.getLogger(__name__)


class App(Protocol):
    """What answers for one service."""

    def body_limit(self, head: Head) -> int | None:
        """Say how a body is taken, as `Application` does."""
        ...

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        ...

    def failed(self, head: Head) -> Response:
        """Answer a request that `handle` raised for: the service's internal error."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """A app and the requests that are its own."""

    takes: Callable[[Head], bool]
    app: App


class Router:
    """Hands each request to the first route that takes it."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = routes

    def _app(self, head: Head) -> App | None:
        return next((route.app for route in self._routes if route.takes(head)), None)

    def body_limit(self, head: Head) -> int | None:
        """Ask the request's own app; what nobody takes is not collected."""
        app = self._app(head)
        return None if app is None else app.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Answer through the request's own app, or with a 404; ClientGoneError passes through."""
        head = request.head
        app = self._app(head)
        if app is None:
            return _unknown(head)
        try:
            return await app.handle(request)
        except ClientGoneError:
            raise
        except Exception:
            # Without its query, which may carry a signature.
            logger.exception("%s %s failed", head.method, head.path)
            return app.failed(head)


def _unknown(head: Head) -> Response:
    message = f"No offline service answers {head.method} {head.path}."
    body = {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}
    return Response(404, json.dumps(body).encode(), "application/json; charset=UTF-8")
