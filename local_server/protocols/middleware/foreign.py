"""Refuses what a web page of another site sends to a server on this machine.

A browser sends simple requests of any page to loopback ports, without asking; and a page whose own
name is made to resolve to 127.0.0.1 (DNS rebinding) counts there as the same site. The first is
told by `Origin` and `Sec-Fetch-Site` (Fetch Standard 3.2; Fetch Metadata 2.4), the second by
`Host`, which holds the page's name. Programs send none of the first two.
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
"""Makes the refusal of a request: its head, a status, a sentence."""


class Sites:
    """Which names are this server's own, and which sites' pages may send requests.

    `names` are allowed besides loopback ones; one that begins with a dot allows all below it.
    Without `checks_host` any name will do: a server that listens to a network has names that it
    does not know.
    """

    def __init__(self, names: Iterable[str] = (), *, checks_host: bool = True) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._below = tuple(name for name in self._names if name.startswith("."))
        self._checks_host = checks_host
        self._is_own = lru_cache(maxsize=256)(self._look)

    def problem(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request is refused, in a sentence; None where it is not."""
        host = headers.get("host", "")
        if self._checks_host and not self._is_own(host):
            return f"The host {_shown(host)} is no name of this server: --allow-host allows one."
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
        # HTTP/1.0 may leave it out, which no browser does.
        return not host or is_loopback(name) or self._is_named(name)

    def _is_named(self, name: str) -> bool:
        return name in self._names or name.endswith(self._below)


class SameSite:
    """Hands on what programs and the server's own pages send (an Application); the rest is 403.

    `guards` says which requests are looked at: all, where it is not given.
    """

    def __init__(
        self,
        behind: Application,
        sites: Sites,
        refuse: Refuse,
        guards: Callable[[Head], bool] = lambda _: True,
    ) -> None:
        self._behind = behind
        self._sites = sites
        self._refuse = refuse
        self._guards = guards

    def body_limit(self, head: Head) -> int | None:
        """Take the bodies of the application behind as it does; of what is refused none is read."""
        return None if self._problem(head) else self._behind.body_limit(head)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Hand a request on, or refuse it before its body is read."""
        head = request.head
        problem = self._problem(head)
        if problem is None:
            return self._behind.handle(request)
        logger.warning("%s %s is refused: %s", head.method, _shown(head.path), problem)
        return self._refuse(head, HTTPStatus.FORBIDDEN, problem)

    def _problem(self, head: Head) -> str | None:
        return self._sites.problem(head.headers) if self._guards(head) else None


def is_loopback(name: str) -> bool:
    """Say whether a host's name or address is this machine's alone (RFC 6761 6.3, RFC 1122)."""
    if name == _LOOPBACK or name.endswith(f".{_LOOPBACK}"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _name(authority: str) -> str:
    """Return the name of a host without its port, in lower case; "" for what is none."""
    match = _AUTHORITY.fullmatch(authority.strip().lower())
    return (match["address"] or match["name"].removesuffix(".")) if match else ""


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])
