"""The TLS contexts of intercepted hosts, created when a host is first called.

Their certificates cover what those of the clouds do: any bucket, but none whose name has dots
(Amazon S3 User Guide, "Virtual hosting of general purpose buckets").
"""

from __future__ import annotations

import ssl
from collections import OrderedDict

from ...transport.tls import server_context
from ..certificates import Authority
from ..objects.addressing import bucket_in

ALPN = ("http/1.1", "h2")
"""In the proxy's order: HTTP/2 is for gRPC, whose clients offer nothing else."""
_MOST = 256


class Contexts:
    """The contexts of the hosts that were called last."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def of(self, host: str) -> ssl.SSLContext:
        """Return the context of a host, with a certificate for it. Takes a millisecond at first."""
        context = self._contexts.get(host)
        if context is None:
            context = server_context(self._authority.issue([covering(host)]), ALPN)
            self._contexts[host] = context
        self._contexts.move_to_end(host)
        if len(self._contexts) > _MOST:
            self._contexts.popitem(last=False)
        return context


def covering(host: str) -> str:
    """Return the name in the certificate of a host: the host itself, or a wildcard of buckets."""
    bucket = bucket_in(host)
    return f"*{host.removeprefix(bucket)}" if "." in bucket else host
