"""The limits of one client: bytes held, seconds waited. Sizes are bytes, times are seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one connection; past them a request is refused or the connection is closed."""

    target: int = 16 * 1024
    """The request target: past it 414."""
    head: int = 64 * 1024
    """Request line and headers together: past it 431."""
    header_count: int = 256
    """Header lines: past it 431."""
    body_buffer: int = 512 * 1024
    """Bytes of a streamed body held for a reader that is slower than its client."""
    drain: int = 256 * 1024
    """Bytes of an unread body thrown away to keep the connection; more costs the connection."""
    write_buffer: int = 256 * 1024
    """Bytes of answers waiting for the client; past it no further request is begun."""
    handshake_seconds: float = 30.0
    """For a TLS handshake: past it the connection is closed."""
    header_seconds: float = 30.0
    """From the first byte of a head to its last: past it 408."""
    idle_seconds: float = 75.0
    """Between two requests of a connection."""
    stall_seconds: float = 60.0
    """Without one byte of an awaited body (408), or without one taken of an answer."""
    linger_seconds: float = 2.0
    """Reading on after a last answer, so that a reset cannot overtake it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) <= 0:
                raise ValueError(f"Limits.{each.name} must be more than 0")

    @property
    def sweep_seconds(self) -> float:
        """Return how often deadlines are looked at: finely enough for the shortest of them."""
        shortest = min(
            self.header_seconds, self.idle_seconds, self.stall_seconds, self.linger_seconds
        )
        return min(1.0, shortest / 4)
