"""Addresses of clients as gRPC writes them."""

from __future__ import annotations

import asyncio
import socket


def peer_name(transport: asyncio.BaseTransport) -> str:
    """Return "ipv4:1.2.3.4:5", "ipv6:[::1]:5" or "unix:"; "" if it is unknown."""
    sock = transport.get_extra_info("socket")
    address = transport.get_extra_info("peername")
    family = sock.family if sock is not None else None
    if family == socket.AF_UNIX:
        return "unix:"
    if not address:
        return ""
    host, port = address[0], address[1]
    if family == socket.AF_INET6 and not host.startswith("::ffff:"):
        return f"ipv6:[{host}]:{port}"
    return f"ipv4:{host.removeprefix('::ffff:')}:{port}"
