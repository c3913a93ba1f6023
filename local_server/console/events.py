"""Server-sent events of a view: each part when it has changed, and a sign of life every second.

Source: WHATWG HTML, 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import msgspec

from .view import Tick, View

logger = logging.getLogger(__name__)

SECONDS = 1.0
MOST_PAGES = 16
"""How many pages may follow at the same time; each costs a snapshot per second."""
_ALIVE = b": alive\n\n"


class Events:
    """The pages that follow a server. For one event loop."""

    def __init__(self, view: View, seconds: float = SECONDS) -> None:
        self._view = view
        self._seconds = seconds
        self._pages = 0
        self._closing = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Return whether no further page may follow."""
        return self._pages >= MOST_PAGES

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closing.set()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield events until the server or the client closes."""
        self._opened(1)
        try:
            changes = Changes(self._view.follow())
            while not self._closing.is_set():
                yield await changes.next() or _ALIVE
                await self._pause()
        except Exception:
            # A defect of a view: it must not leave the page waiting.
            logger.exception("the console's events have ended")
        finally:
            self._opened(-1)

    def _opened(self, pages: int) -> None:
        self._pages += pages
        self._view.opened(self._pages)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), self._seconds)
        except TimeoutError:
            return


class Changes:
    """The events of one page: the parts that differ from what it was sent last."""

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self._sent: dict[str, bytes] = {}

    async def next(self) -> bytes:
        """Return the events of this moment; b"" if nothing has changed."""
        events = []
        for name, record in (await self._tick()).items():
            data = msgspec.json.encode(record)
            if self._sent.get(name) != data:
                self._sent[name] = data
                # JSON escapes line breaks, so one `data:` line holds all.
                events.append(b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), data))
        return b"".join(events)
