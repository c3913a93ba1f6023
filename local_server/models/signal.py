"""Wait in the event loop until something has come about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Signal:
    """Wakes those who wait for a condition whenever it may have changed. For one loop."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Let every waiter look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is looked at now and after every `notify`."""
        while not holds():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
