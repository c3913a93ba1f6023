"""A filter against requests that web pages of other sites send to a server on this machine.

A browser sends simple requests of any page to loopback ports without asking, and treats a page
whose name resolves to 127.0.0.1 (DNS rebinding) as the same site. `Origin` and `Sec-Fetch-Site`
reveal the first (Fetch Standard 3.2; Fetch Metadata 2.4), `Host`, which holds the page's name, the
second. Programs send neither `Origin` nor `Sec-Fetch-Site`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address

from ...transport.types import Application, Head, Request, Response

logger = logging.getLogger(__name__)

_LOOPBACK = "localhost"
_AUTHORITY = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^:\[\]/@]+))(?::[0-9]*)?")
_SHOWN = 100
Refuse = Callable[[Head, int, str], Response]
"""Makes the response to a refused request: its head, a status, a message."""


class Sites:
    """The names of this server, and the sites whose pages may send requests.

    `names` are allowed besides loopback ones; one that begins with a dot allows all below it.
    Without `checks_host` every name is accepted: a server on a network may have names that it does
    not know.
    """

    def __init__(self, names: Iterable[str] = (), *, checks_host: bool = True) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._below = tuple(name for name in self._names if name.startswith("."))
        self._checks_host = checks_host
        self._is_own = lru_cache(maxsize=256)(self._look)

    def problem(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request is refused, or None if it is not."""
        host = headers.get("host", "")
        if self._checks_host and not self._is_own(host):
            return f"The host {_shown(host)} is not a name of this server: --allow-host allows one."
        origin = headers.get("origin")
        if origin is not None:
            return self._problem_of(origin, host)
        if headers.get("sec-fetch-site") == "cross-site":
            return "A web page of another site sent this request: it is refused."
        return None

    def _problem_of(self, origin: str, host: str) -> str | None:
        authority = origin.partition("://")[2].lower()
        if authority and (authority == host.lower() or self._is_named(_name(authority))):
            return None
        return f"A web page of {_shown(origin)}, another site, sent this request: it is refused."

    def _look(self, host: str) -> bool:
        name = _name(host)
        # HTTP/1.0 may omit Host; no browser does.
        return not host or is_loopback(name) or self._is_named(name)

    def _is_named(self, name: str) -> bool:
        return name in self._names or name.endswith(self._below)


class SameSite:
    """Passes on requests of programs and the server's own pages (an Application); others are 403.

    `guards` selects the requests to check; by default all.
    """

    def __init__(
        self,
        app: Application,
        sites: Sites,
        refuse: Refuse,
        guards: Callable[[Head], bool] = lambda _: True,
    ) -> None:
        self._app = app
        self._sites = sites
        self._refuse = refuse
        self._guards = guards

    def body_limit(self, head: Head) -> int | None:
        """Return the application's limit; the body of a refused request is not read."""
        return None if self._problem(head) else self._app.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Pass a request on, or refuse it before its body is read."""
        head = request.head
        problem = self._problem(head)
        if problem is None:
            return self._app.handle(request)
        logger.warning("%s %s is refused: %s", head.method, _shown(head.path), problem)
        return self._refuse(head, HTTPStatus.FORBIDDEN, problem)

    def _problem(self, head: Head) -> str | None:
        return self._sites.problem(head.headers) if self._guards(head) else None


def is_loopback(name: str) -> bool:
    """Return whether a host name or address is this machine's loopback (RFC 6761 6.3, RFC 1122)."""
    if name == _LOOPBACK or name.endswith(f".{_LOOPBACK}"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _name(authority: str) -> str:
    """Return the name of a host without its port, in lower case; "" if it is malformed."""
    match = _AUTHORITY.fullmatch(authority.strip().lower())
    return (match["address"] or match["name"].removesuffix(".")) if match else ""


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])
