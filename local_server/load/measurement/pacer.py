"""A clock that wakes an event loop to the tenth of a millisecond.

The timers of asyncio and uvloop are accurate to a millisecond, which a rate of thousands of
requests a second would show as latency. A thread sleeps instead and writes to a pipe.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable

SECOND = 1_000_000_000


class Pacer:
    """Calls `wake` on the loop at the armed time; `wake` may arm it again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._due: int | None = 0
        self._is_armed = False
        self._armed = threading.Event()
        self._reader, self._writer = os.pipe()
        loop.add_reader(self._reader, self._woken)
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self._thread.start()

    def arm(self, due: int) -> None:
        """Wake the loop at a time of `perf_counter_ns`, unless it will be woken anyway."""
        if not self._is_armed:
            self._is_armed = True
            self._due = due
            self._armed.set()

    def close(self) -> None:
        """Stop the thread, after its current sleep of at most 0.1 s."""
        self._due = None
        self._armed.set()
        self._thread.join()
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self._writer)

    def _woken(self) -> None:
        os.read(self._reader, 1)
        self._is_armed = False
        self._wake()

    def _run(self) -> None:
        while True:
            self._armed.wait()
            self._armed.clear()
            while (due := self._due) is not None and (left := due - time.perf_counter_ns()) > 0:
                time.sleep(min(left / SECOND, _LONGEST_SLEEP))
            if due is None:
                return
            os.write(self._writer, b"w")


_LONGEST_SLEEP = 0.1
