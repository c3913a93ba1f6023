"""A connection's way in: read, held back, or waiting behind a request in flight."""

from __future__ import annotations

import asyncio

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Watch:
    """Notices when nothing has moved for too long. Moving costs one attribute."""

    __slots__ = ("_since", "moved")

    def __init__(self) -> None:
        self.moved = True
        self._since = 0.0

    def overdue(self, now: float, patience: float) -> bool:
        """Say whether nothing has moved for `patience` seconds; asked at every sweep."""
        if self.moved:
            self.moved = False
            self._since = now
        return now - self._since > patience


class Inlet:
    """Holds a client back and lets it go on; keeps the bytes that came too early."""

    __slots__ = ("_backlog", "_transport", "_watch", "invited", "reading")

    def __init__(self, transport: asyncio.Transport, watch: Watch) -> None:
        self._transport = transport
        self._watch = watch
        self._backlog = b""
        self.reading = True
        self.invited = True
        """False while the client waits for 100 Continue before it sends its body."""

    def invite(self) -> None:
        """Send 100 Continue to a client that waits for it."""
        if not self.invited and not self._transport.is_closing():
            self.invited = True
            self._watch.moved = True
            self._transport.write(_CONTINUE)

    def hold(self) -> None:
        """Stop reading: TCP then holds the client back."""
        if self.reading and not self._transport.is_closing():
            self.reading = False
            self._transport.pause_reading()

    def release(self) -> None:
        """Read again."""
        if not self.reading and not self._transport.is_closing():
            self.reading = True
            self._watch.moved = True
            self._transport.resume_reading()

    @property
    def peer(self) -> str:
        """Return the client's "host:port"."""
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else ""

    @property
    def waiting(self) -> bool:
        """Say whether bytes wait for their turn."""
        return bool(self._backlog)

    def put_off(self, data: bytes) -> None:
        """Keep bytes until their turn, and read no more until then."""
        self._backlog += data
        self.hold()

    def take_up(self) -> bytes:
        """Return the bytes whose turn has come, and read again."""
        data, self._backlog = self._backlog, b""
        self.release()
        return data
