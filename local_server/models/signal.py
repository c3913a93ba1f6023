"""A condition variable of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Signal:
    """Wakes the waiters of a condition whenever it may have changed. For one loop."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Let every waiter check its condition."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is checked now and after every `notify`."""
        while not holds():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
