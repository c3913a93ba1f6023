"""Where a connection is between two requests, and how long it may stay there.

    HEAD -> GATHER -> ANSWER -> HEAD    a body collected before the application is asked
    HEAD -> STREAM -> ANSWER -> HEAD    a body read by the application as it comes
            STREAM -> DRAIN  -> HEAD    answered before its body was read: a small rest
    any  -> LINGER -> CLOSED            a last answer, while the client may still be sending

Without a body HEAD goes to ANSWER directly.
"""

from __future__ import annotations

from enum import IntEnum

from ..limits import Limits


class Phase(IntEnum):
    """A connection's phase."""

    HEAD = 0  # between requests, or inside a head
    GATHER = 1  # the body is gathered, then the application asked
    STREAM = 2  # the application has been asked and reads the body as it comes
    ANSWER = 3  # the request is whole, its answer is not
    DRAIN = 4  # the answer is there, the rest of the body is thrown away
    LINGER = 5  # the last answer is out
    CLOSED = 6  # what is unsent still goes out


def patience(phase: Phase, limits: Limits, *, head_started: bool) -> float:
    """Return for how many seconds nothing may move in a phase; a handler's time is its own."""
    if phase is Phase.HEAD:
        return limits.header_seconds if head_started else limits.idle_seconds
    if phase in {Phase.GATHER, Phase.STREAM, Phase.DRAIN, Phase.CLOSED}:
        return limits.stall_seconds
    return limits.linger_seconds if phase is Phase.LINGER else float("inf")
