"""Several applications on one port: each request goes to the first whose route matches.

A failure inside an application is answered in its own form, because the official clients parse
errors in their service's format and fail on any other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ..transport.types import ClientGoneError, Head, Request, Response
from .offers import Offers

logger = logging.getLogger(__name__)


class App(Protocol):
    """The application of one service."""

    def body_limit(self, head: Head) -> int | None:
        """Return how the body is read, as `Application` does."""
        ...

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        ...

    def failed(self, head: Head) -> Response:
        """Return the service's internal error, for a request whose `handle` raised."""
        ...


class Service(App, Protocol):
    """The application of a service whose operations are documented."""

    @property
    def offers(self) -> Offers:
        """Return the operations that it answers; may read the service's model."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """An application and the requests that it answers."""

    takes: Callable[[Head], bool]
    app: App
    service: Service | None = None
    """The documented service, behind whatever checks; None if it is not one."""


def route_of(takes: Callable[[Head], bool], service: Service) -> Route:
    """Return the route of a documented service."""
    return Route(takes, service, service)


class Router:
    """Passes each request to the first route that matches."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = routes

    def _app(self, head: Head) -> App | None:
        return next((route.app for route in self._routes if route.takes(head)), None)

    def body_limit(self, head: Head) -> int | None:
        """Ask the request's application; a body without one is not buffered."""
        head = _without_slash(head)
        app = self._app(head)
        return None if app is None else app.body_limit(head)

    async def handle(self, request: Request) -> Response:
        """Pass a request to its application, or answer 404; raises ClientGoneError."""
        head = _without_slash(request.head)
        app = self._app(head)
        if app is None:
            return _unknown(head)
        if head is not request.head:
            request = replace(request, head=head)
        try:
            return await app.handle(request)
        except ClientGoneError:
            raise
        except Exception:
            # Without the query, which may have a signature.
            logger.exception("%s %s failed", head.method, head.path)
            return app.failed(head)


def _without_slash(head: Head) -> Head:
    """Return a head without the second slash of `//v1/…` and `//ui/…`.

    google-cloud-aiplatform makes such a path of an `api_endpoint` that ends with a slash, as the
    variables of gcloud do. A bucket's name is never empty.
    """
    return replace(head, path=head.path[1:]) if head.path.startswith(("//v1", "//ui/")) else head


def _unknown(head: Head) -> Response:
    message = f"No offline service answers {head.method} {head.path}."
    body = {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}
    return Response(404, json.dumps(body).encode(), "application/json; charset=UTF-8")
