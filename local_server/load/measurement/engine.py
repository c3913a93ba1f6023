"""The loop of a measurement: gives free slots the requests that are due."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence

from cloudserve.bench.settings import Load

from .pace import SECOND, Pace, Phases
from .recorder import Recorder
from .slots import UNREACHABLE, Slot

_TICK_SECONDS = 0.25
_GIVE_UP_SECONDS = 1.0

Watch = Callable[[], str | None]


class Engine:
    """Runs a load to its end, or until `stop`.

    `tick` is called every quarter of a second; a text that it returns ends the measurement.
    """

    def __init__(
        self, load: Load, pace: Pace, phases: Phases, recorder: Recorder, tick: Watch
    ) -> None:
        self._load = load
        self._pace = pace
        self._phases = phases
        self._recorder = recorder
        self._tick = tick
        self._idle: list[Slot] = []
        self._busy = 0
        self._is_over = False
        self._last_success = time.perf_counter_ns()
        self._pacer: Pacer | None = None
        self._finished: asyncio.Future[str | None] | None = None

    async def run(self, slots: Sequence[Slot], requests: Sequence[bytes]) -> str | None:
        """Send the requests in turn until the load is over; return why it ended early."""
        loop = asyncio.get_running_loop()
        self._finished = loop.create_future()
        self._next = itertools.cycle(requests).__next__
        self._slots = slots
        if self._load.is_open:
            self._pacer = Pacer(loop, self._wake)
        ticking = asyncio.ensure_future(self._keep_ticking())
        try:
            for slot in slots:
                slot.done = self._done
                self._offer(slot)
            return await self._finished
        finally:
            ticking.cancel()
            if self._pacer:
                self._pacer.close()

    def stop(self, reason: str | None = None) -> None:
        """End the measurement now; requests in flight are not counted."""
        self._is_over = True
        if self._finished and not self._finished.done():
            self._finished.set_result(reason)

    def _offer(self, slot: Slot) -> None:
        """Send the next request that is due through a free slot, or keep the slot."""
        now = time.perf_counter_ns()
        intended = self._pace.take(now)
        if intended is None:
            self._idle.append(slot)
            self._rest(now)
            return
        if self._pacer:
            self._recorder.sent(intended, now, waited=True)
        self._send(slot, intended)

    def _send(self, slot: Slot, intended: int) -> None:
        self._busy += 1
        slot.intended = intended
        slot.send(self._next())

    def _done(self, slot: Slot, failure: str | None) -> None:
        if self._is_over:
            return
        now = time.perf_counter_ns()
        self._busy -= 1
        self._recorder.record(slot.intended, now, failure)
        if failure is None:
            self._last_success = now
        elif failure in UNREACHABLE and now - self._last_success > _GIVE_UP_SECONDS * SECOND:
            self.stop(f"the server stopped answering: {failure}")
            return
        self._offer(slot)

    def _wake(self) -> None:
        """Send what has become due, as far as slots are free."""
        now = time.perf_counter_ns()
        while self._idle and (intended := self._pace.take(now)) is not None:
            self._recorder.sent(intended, now, waited=False)
            self._send(self._idle.pop(), intended)
        self._rest(now)

    def _rest(self, now: int) -> None:
        """Wait for the next time, or finish once nothing is in flight."""
        if self._pace.is_over(now):
            if not self._busy:
                self.stop()
        elif self._pacer and self._idle and self._pace.next_due is not None:
            self._pacer.arm(self._pace.next_due)

    async def _keep_ticking(self) -> None:
        timeout = int(self._load.timeout * SECOND)
        while not self._is_over:
            await asyncio.sleep(_TICK_SECONDS)
            if reason := self._tick():
                self.stop(reason)
                return
            for slot in self._slots:
                slot.expire(time.perf_counter_ns() - timeout)


class Pacer:
    """Calls `wake` on the loop at the armed time, to the tenth of a millisecond.

    `wake` may arm it again. The timers of asyncio and uvloop are accurate to a millisecond, which
    a rate of thousands of requests a second would show as latency. A thread sleeps instead and
    writes to a pipe.
    """

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
