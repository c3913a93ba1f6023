"""Limits of one HTTP/2 client. Sizes are bytes, times are seconds, rates are per second."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from ..machine_memory import machine_memory
from .wire.frames import DEFAULT_FRAME_SIZE, DEFAULT_WINDOW, MAX_FRAME_SIZE, MAX_WINDOW


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit: `burst` events in succession, `per_second` in the long run."""

    burst: int
    per_second: float


def _share_of_memory() -> int:
    return machine_memory() // 2


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """The limits of one connection."""

    streams: int = 1024
    """Requests in flight; more are refused with REFUSED_STREAM, which clients may repeat."""
    frame_size: int = 65_536
    """Payload of a frame (SETTINGS_MAX_FRAME_SIZE)."""
    header_list: int = 16 * 1024
    """Decoded header list, as RFC 9113 counts it: past it the request is malformed."""
    header_bytes: int = 64 * 1024
    """Header list, decoded or not, past which the connection is closed."""
    continuations: int = 32
    """CONTINUATION frames of one header block."""
    memory: int = field(default_factory=_share_of_memory)
    """Messages of all connections together that are incomplete, in work or not sent."""
    connection_memory: int = field(default_factory=_share_of_memory)
    """The same of one connection."""
    stream_window: int = 4 * 1024 * 1024
    """Received bytes of a stream that the application has not taken."""
    connection_window: int = 16 * 1024 * 1024
    """Received bytes of all streams that are not read yet."""
    write_buffer: int = 256 * 1024
    """Written bytes that the client has not read; past it responses stay at their streams."""
    control_buffer: int = 64 * 1024
    """Control frames queued for a client that does not read; past it the connection is closed."""
    handshake_seconds: float = 30.0
    """For TLS, and then for the preface and the first SETTINGS."""
    header_seconds: float = 30.0
    """From the first to the last frame of a header block."""
    stall_seconds: float = 60.0
    """Without a byte of an awaited body, or without a byte of a response read."""
    idle_seconds: float = 3600.0
    """Without a request: past it the connection is closed with GOAWAY."""
    keepalive_seconds: float = 7200.0
    """Without a byte from the client: past it a PING is sent."""
    keepalive_timeout_seconds: float = 20.0
    """For the response to that PING."""
    linger_seconds: float = 2.0
    """For a client to close, after the last frame to it."""
    resets: Rate = Rate(1000, 200.0)
    """RST_STREAM frames, received or caused (rapid reset, CVE-2023-44487)."""
    pings: Rate = Rate(1000, 200.0)
    """PING frames."""
    settings: Rate = Rate(100, 10.0)
    """SETTINGS frames."""
    idle_frames: Rate = Rate(2000, 500.0)
    """Frames with hardly an effect: empty ones, PRIORITY, unknown types, tiny windows."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, Rate) and value <= 0:
                raise ValueError(f"Http2Limits.{each.name} must be more than 0")
        if not DEFAULT_FRAME_SIZE <= self.frame_size <= MAX_FRAME_SIZE:
            raise ValueError("Http2Limits.frame_size must be from 16384 to 16777215")
        if not DEFAULT_WINDOW <= self.connection_window <= MAX_WINDOW:
            raise ValueError("Http2Limits.connection_window must be from 65535 to 2147483647")
        # A client may send the default window before it has read this server's SETTINGS.
        if not DEFAULT_WINDOW <= self.stream_window <= MAX_WINDOW:
            raise ValueError("Http2Limits.stream_window must be from 65535 to 2147483647")

    @property
    def sweep_seconds(self) -> float:
        """Return the interval of the checks of timeouts, a quarter of the shortest timeout."""
        times = [
            self.handshake_seconds,
            self.header_seconds,
            self.stall_seconds,
            self.idle_seconds,
            self.keepalive_seconds,
            self.keepalive_timeout_seconds,
            self.linger_seconds,
        ]
        return min(1.0, min(times) / 4)
