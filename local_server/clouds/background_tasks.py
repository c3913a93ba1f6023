"""Tasks that outlive the request that started them: loads, unloads, updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

_UNOBSERVED_SECONDS = 1.0


class BackgroundTasks:
    """Background tasks by key; the tasks of a key run one after another, in the order started.

    The coroutines handle their own failures; `close` raises an exception that escapes one.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, key: str, coroutine: Coroutine[None, None, None]) -> None:
        """Run a coroutine after the earlier tasks of its key."""
        previous = self._tasks.get(key)
        task = asyncio.create_task(_after(previous, coroutine), name=key)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is done and not done.cancelled() and done.exception() is None:
            del self._tasks[key]

    async def settled(self, key: str) -> None:
        """Wait until all tasks of a key have ended."""
        while (task := self._tasks.get(key)) is not None and not task.done():
            await asyncio.wait([task])

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def _after(
    previous: asyncio.Task[None] | None, coroutine: Coroutine[None, None, None]
) -> None:
    try:
        if previous is not None and not previous.done():
            await asyncio.wait([previous])
    except BaseException:
        coroutine.close()
        raise
    await coroutine


async def either(*waits: Awaitable[object]) -> None:
    """Wait until one of these has ended; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Observations:
    """Changes that end once Describe has shown them, or after a while that nobody looks.

    The clouds' changes take longer than a call, so that a caller that does not look is refused its
    next change. An instant change would conceal that.
    """

    def __init__(self, wait: Callable[[float], Awaitable[None]]) -> None:
        self._wait = wait
        self._seen: dict[str, asyncio.Event] = {}

    def show(self, key: str) -> None:
        """Note that Describe has shown the change."""
        self._seen.setdefault(key, asyncio.Event()).set()

    async def wait(self, key: str) -> None:
        """Wait until a change has been shown, at most for a second."""
        seen = self._seen.setdefault(key, asyncio.Event())
        try:
            await either(seen.wait(), self._wait(_UNOBSERVED_SECONDS))
        finally:
            self._seen.pop(key, None)
