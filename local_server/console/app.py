"""The API of the console: snapshots as JSON, a stream of events, and changes with a token.

Requests for another host than the server's, and those of other sites' pages, are refused.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from ..protocols.middleware.foreign import SameSite, Sites
from ..transport.types import (
    Application,
    Head,
    LiveBody,
    Request,
    Response,
    Together,
    together_of,
)
from .events import Events
from .paths import API, BASE, is_read
from .view import View

_JSON = "application/json"
_EVENTS = "events"
_MOST_BODY = 2**20
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
TOKEN_HEADER = "x-cloudserve-token"  # noqa: S105  the name of a header

_HINT = "--allow-host allows one."
"""The hint of the offline clouds, which have this option."""

Change = Callable[[Request], Awaitable[Response]]
"""Performs a change that a page with the token asks for."""


class ConsoleApi:
    """Answers the console's own requests; passes others on (an Application)."""

    def __init__(
        self,
        view: View,
        app: Application,
        sites: Sites,
        *,
        token: str = "",
        changes: Mapping[str, Change] | None = None,
    ) -> None:
        """Take the view, the application, the server's names, and the changes by their path."""
        self._events = Events(view)
        self._answers = _Answers(view, self._events, token, changes or {})
        self._own = SameSite(self._answers, sites, _refuse)
        self._app = app

    def close(self) -> None:
        """End all streams of events."""
        self._events.close()

    def body_limit(self, head: Head) -> int | None:
        """Return the limit of the console's requests, else the application's."""
        return self._for(head).body_limit(head)

    def together(self, head: Head) -> Together | None:
        """Return the application's function; None for the console's requests."""
        return None if head.path.startswith(BASE) else together_of(self._app, head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request of the console, or pass it on."""
        return self._for(request.head).handle(request)

    def _for(self, head: Head) -> Application:
        return self._own if head.path.startswith(API) else self._app


class _Answers:
    """The answers to requests below the API's path (an Application)."""

    def __init__(
        self, view: View, events: Events, token: str, changes: Mapping[str, Change]
    ) -> None:
        self._view = view
        self._events = events
        self._token = token
        self._changes = changes

    def body_limit(self, head: Head) -> int | None:
        return 0 if is_read(head) else _MOST_BODY

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        head = request.head
        words = tuple(map(unquote, head.path.removeprefix(API).split("/")))
        if not is_read(head):
            return self._change(request, "/".join(words))
        if words == (_EVENTS,):
            return self._stream(head)
        record = self._view.detail(words)
        if record is None:
            return _refuse(head, HTTPStatus.NOT_FOUND, "The console has no such record.")
        return Response(HTTPStatus.OK, msgspec.json.encode(record), _JSON, _NO_STORE)

    def _stream(self, head: Head) -> Response:
        if head.method == "HEAD":
            return Response(HTTPStatus.OK, b"", "text/event-stream", _NO_STORE)
        if self._events.is_full:
            text = "Too many pages of the console are open: close one."
            return _refuse(head, HTTPStatus.SERVICE_UNAVAILABLE, text)
        body = LiveBody(self._events.stream())
        return Response(HTTPStatus.OK, body, "text/event-stream", _NO_STORE)

    def _change(self, request: Request, path: str) -> Response | Awaitable[Response]:
        head = request.head
        change = self._changes.get(f"{head.method} {path}")
        if change is None:
            return _refuse(head, HTTPStatus.METHOD_NOT_ALLOWED, "The console cannot change this.")
        shown = head.headers.get(TOKEN_HEADER, "")
        if not (self._token and secrets.compare_digest(shown.encode(), self._token.encode())):
            text = "The console's token is needed: the server printed a link with it at its start."
            return _refuse(head, HTTPStatus.FORBIDDEN, text)
        return change(request)


_ANY_HOST = Sites(checks_host=False)


class ServerSites(Sites):
    """The names of a server that may listen on a network.

    A rebound name is a name: IP addresses, which a page of another site cannot take as its own,
    are allowed, as are this machine's name and the address that the server listens on.
    """

    def __init__(self, host: str) -> None:
        name = socket.gethostname()
        super().__init__((host, name, f"{name}.local"))

    def problem(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request is refused, or None if it is not."""
        host = headers.get("host", "")
        if _is_address(host):
            # The check of Origin compares it with this host; any other name stays refused.
            return _ANY_HOST.problem(headers)
        problem = super().problem(headers)
        return problem and problem.replace(_HINT, "use its IP address.")


def _is_address(host: str) -> bool:
    name = host.rpartition(":")[0] if host.count(":") == 1 or "]:" in host else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _refuse(_head: Head, status: int, message: str) -> Response:
    return Response(status, msgspec.json.encode({"error": message}), _JSON, _NO_STORE)
