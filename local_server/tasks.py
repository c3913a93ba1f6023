"""Work that must not be interrupted, and resources that must not be freed while in use."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


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


async def ends_within(work: Coroutine[None, None, None], seconds: float) -> bool:
    """Return whether work has ended in time; what has not continues, and is not cancelled.

    A cancellation would not end it: a run of a model in a thread cannot be stopped, and
    `to_completion` waits for it.
    """
    task = asyncio.ensure_future(work)
    ended, _ = await asyncio.wait({task}, timeout=seconds)
    if ended:
        await task
    return bool(ended)


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
