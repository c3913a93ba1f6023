"""Listening TCP sockets."""

from __future__ import annotations

import errno
import socket

BACKLOG = 1024
_EVERY_ADDRESS = "::"
_EVERY_IPV4_ADDRESS = "0.0.0.0"  # noqa: S104  asked for by the caller


def bind(host: str, port: int) -> socket.socket:
    """Bind one address: a name like localhost could resolve to two, with two free ports for 0.

    "::" means every address, IPv4's too; without IPv6 on this machine, every IPv4 address. An
    empty name is none. Raises OSError.
    """
    if not host:  # for the system, it is every address
        raise OSError(errno.EINVAL, "the address is empty")
    if host == _EVERY_ADDRESS and not socket.has_dualstack_ipv6():
        host = _EVERY_IPV4_ADDRESS
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == _EVERY_ADDRESS
    listener = socket.create_server(
        (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
    )
    # Accepted connections inherit it. Without it a response may wait 40 ms for an acknowledgement;
    # asyncio sets it only if the socket names its protocol, which this one does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
