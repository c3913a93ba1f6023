"""Host names in requests, compared as DNS compares them (RFC 4343, RFC 9110 4.2.3)."""

from __future__ import annotations

import re

_PORT = re.compile(r":[0-9]*$")


def host_name(authority: str) -> str:
    """Return a `Host` without its port and the dot of a root, in lower case."""
    return _PORT.sub("", authority.lower()).removesuffix(".")
