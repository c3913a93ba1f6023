"""The TLS contexts of intercepted hosts, created when a host is first called.

Their certificates cover what those of the clouds do: any bucket, but none whose name has dots
(Amazon S3 User Guide, "Virtual hosting of general purpose buckets").
"""

from __future__ import annotations

import ssl
from collections import OrderedDict

from ...transport.tls import server_context
from ..objects.addressing import bucket_in
from ..renewal import RenewedAuthority

ALPN = ("http/1.1", "h2")
"""In the proxy's order: HTTP/2 is for gRPC, whose clients offer nothing else."""
_MOST = 256


class Contexts:
    """The contexts of the hosts that were called last."""

    def __init__(self, authority: RenewedAuthority) -> None:
        self._authority = authority
        self._signer = authority.current()
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def of(self, host: str) -> ssl.SSLContext:
        """Return the context of a host, with a certificate for it. Takes a millisecond at first."""
        signer = self._authority.current()
        if signer is not self._signer:
            self._contexts.clear()
            self._signer = signer
        context = self._contexts.get(host)
        if context is None:
            context = server_context(signer.issue([covering(host)]), ALPN)
            self._contexts[host] = context
        self._contexts.move_to_end(host)
        if len(self._contexts) > _MOST:
            self._contexts.popitem(last=False)
        return context


def covering(host: str) -> str:
    """Return the name in the certificate of a host: the host itself, or a wildcard of buckets."""
    bucket = bucket_in(host)
    return f"*{host.removeprefix(bucket)}" if "." in bucket else host
