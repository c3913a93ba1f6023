"""Work of an event loop in slices: so much in a turn that other clients do not wait long.

Decoding a request of moderate size takes the loop about as long as passing it to a thread and back,
which takes turns at Python's lock with the loop and with the threads that run models.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TypeAlias

Work: TypeAlias = Callable[[], None]
"""A piece of work, of a millisecond or less."""

_SLICE_SECONDS = 2e-3
"""After this time the rest waits for the next turn of the loop."""


class Slices:
    """Work that waits for turns of the loops that added it, in its order."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.AbstractEventLoop, deque[Work]] = {}

    def add(self, loop: asyncio.AbstractEventLoop, work: Work) -> None:
        """Do work at the end of this turn of the running loop, or in one that follows.

        The loop handles what it raises, as it does for any callback.
        """
        waiting = self._waiting.get(loop)
        if waiting is None:
            waiting = self._waiting[loop] = deque()
            loop.call_soon(self._run, loop)
        waiting.append(work)

    def wait_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether work waits in a loop."""
        return bool(self._waiting.get(loop))

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, until = self._waiting[loop], perf_counter() + _SLICE_SECONDS
        try:
            while waiting:
                waiting.popleft()()
                if perf_counter() >= until:
                    break
        finally:
            if waiting:
                loop.call_soon(self._run, loop)
            else:
                del self._waiting[loop]
