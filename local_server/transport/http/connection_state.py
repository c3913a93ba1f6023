"""The states of a connection between two requests, and their timeouts.

    HEAD -> GATHER -> ANSWER -> HEAD    a body collected before the application is called
    HEAD -> STREAM -> ANSWER -> HEAD    a body read by the application as it arrives
            STREAM -> DRAIN  -> HEAD    answered before its body was read
    any  -> LINGER -> CLOSED            a last response, while the client may still be sending

Without a body HEAD changes to ANSWER directly.
"""

from __future__ import annotations

from enum import IntEnum

from ..limits import Limits


class ConnectionState(IntEnum):
    """The state of a connection."""

    HEAD = 0  # between requests, or inside a head
    GATHER = 1  # the body is collected, then the application is called
    STREAM = 2  # the application reads the body as it arrives
    ANSWER = 3  # the request is complete, its response is not
    DRAIN = 4  # the response is complete, the rest of the body is dropped
    LINGER = 5  # the last response is written
    CLOSED = 6  # unsent bytes are still written


def idle_timeout(state: ConnectionState, limits: Limits, *, head_started: bool) -> float:
    """Return how many seconds a connection may be idle; a running handler has no timeout."""
    if state is ConnectionState.HEAD:
        return limits.header_seconds if head_started else limits.idle_seconds
    if state in {
        ConnectionState.GATHER,
        ConnectionState.STREAM,
        ConnectionState.DRAIN,
        ConnectionState.CLOSED,
    }:
        return limits.stall_seconds
    return limits.linger_seconds if state is ConnectionState.LINGER else float("inf")
