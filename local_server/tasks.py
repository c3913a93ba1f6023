"""Work that must not be interrupted, and resources that must not be freed while in use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Usage:
    """Counts the users of a resource, which may be freed once `unused` returns."""

    def __init__(self) -> None:
        self._users = 0
        self._unused = asyncio.Event()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Count as a user while the block runs."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def unused(self) -> None:
        """Wait until there are no users."""
        while self._users:
            await self._unused.wait()


async def to_completion(work: Coroutine[None, None, Result]) -> Result:
    """Wait until `work` has ended, even if the caller is cancelled; then raise CancelledError.

    For work in a thread, which cannot be cancelled, on files that are removed afterwards.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


class Ending:
    """Ends parts that run models in threads, within seconds for each.

    A run cannot be stopped. What has not ended in time continues and is not cancelled, because
    `to_completion` would wait for it; `is_stuck` tells that the process must not wait either.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self.is_stuck = False

    async def end(self, close: Callable[[], Coroutine[None, None, None]]) -> None:
        """Close a part; raises its error. After one that is stuck, nothing is waited for."""
        task = asyncio.ensure_future(close())
        ended, _ = await asyncio.wait({task}, timeout=0.0 if self.is_stuck else self._seconds)
        if ended:
            await task
            return
        if not self.is_stuck:
            logger.warning("models are left: aborted requests still run them")
        self.is_stuck = True
