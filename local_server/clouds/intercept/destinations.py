"""The hosts that the proxy lets end in the offline clouds, and the reasons against all others."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from ...protocols.middleware.foreign import is_loopback
from ..aws.protocol.hosts import AwsHost, aws_host
from ..google.hosts import METADATA, GoogleHost, google_host
from ..hosts import host_name

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*")
_AUTHORITY = re.compile(r"(?P<host>[^:\[\]@/?#\\\s]+|\[[0-9a-fA-F:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_LONGEST = 253
HTTPS_PORT, HTTP_PORT = 443, 80
Destination = AwsHost | GoogleHost


class RefusedHostError(Exception):
    """A host outside the rehearsal: its name to count it by, and a sentence."""

    def __init__(self, host: str, message: str) -> None:
        super().__init__(message)
        self.host = host
        self.message = message


def tunnelled_host(authority: str) -> str:
    """Return the host of a CONNECT request's `HOST:PORT`; raises RefusedHostError."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _malformed(authority)
    host = host_name(match["host"])
    if find(host) == GoogleHost(METADATA):
        raise RefusedHostError(host, f"{host} answers over HTTP only, without a tunnel.")
    port = int(match["port"] or 0)
    if port != HTTPS_PORT:
        text = f"{host} is reached on port {HTTPS_PORT} only, not on {port}."
        raise RefusedHostError(f"{host}:{port}", text)
    return host


def plain_host(authority: str) -> str:
    """Return the host of an `http://` request; raises RefusedHostError."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _malformed(authority)
    host = host_name(match["host"])
    find(host)
    if int(match["port"] or HTTP_PORT) != HTTP_PORT:
        raise RefusedHostError(
            f"{host}:{match['port']}", f"{host} has no plain HTTP on port {match['port']}."
        )
    return host


@lru_cache(maxsize=256)
def find(host: str) -> Destination:
    """Return the service of a lower-case host; raises RefusedHostError."""
    found = (google_host(host) or aws_host(host)) if len(host) <= _LONGEST else None
    if found is not None and _NAME.fullmatch(host):
        return found
    raise RefusedHostError(_shown(host), f"{_shown(host)} {_reason(host)}")


def _reason(host: str) -> str:
    name = host.strip("[]")
    if is_loopback(name):
        return "is this machine: have the client honour NO_PROXY, and it is reached directly."
    if _is_address(name):
        return "is an address, not a name of a cloud: it is outside the rehearsal."
    return "is outside the rehearsal: only hosts of AWS and Google Cloud are answered offline."


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _malformed(authority: str) -> RefusedHostError:
    shown = _shown(authority)
    return RefusedHostError(shown, f"{shown} is not a host and a port.")


def _shown(text: str) -> str:
    """Return a host for a log: printable, and of limited length."""
    return text[:_LONGEST].encode("ascii", "backslashreplace").decode().translate(_CONTROLS)


_CONTROLS = dict.fromkeys((*range(33), 127), "?")
