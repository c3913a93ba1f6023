"""Loads take turns, so that whatever else blocks for a moment still finds a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from cloudserve.local_server.clouds.serving import Servable, Serving
from cloudserve.local_server.models import Manager

LEAST_THREADS = 5
"""asyncio's own pool on one core: min(32, cores + 4)."""
LOADS = 9


class Empty:
    """A model that loads and has nothing to run."""

    def close(self) -> None:
        pass


def test_many_slow_loads_leave_threads_for_other_requests(tmp_path):
    release = threading.Event()

    def load(_):
        release.wait(30)
        return Empty()

    async def scenario() -> int:
        pool = ThreadPoolExecutor(LEAST_THREADS)
        asyncio.get_running_loop().set_default_executor(pool)
        serving = Serving(Manager(load), tmp_path / "served")
        serving.prepare()
        loads = [
            asyncio.create_task(
                serving.load(f"m{n}", lambda folder, n=n: [Servable(f"m{n}", 1, folder)])
            )
            for n in range(LOADS)
        ]
        try:
            for _ in range(10):
                await asyncio.wait_for(asyncio.to_thread(bool), 10)
        finally:
            release.set()
        await asyncio.gather(*loads)
        loaded = sum(bool(serving.loaded(f"m{n}")) for n in range(LOADS))
        for n in range(LOADS):
            await serving.unload(f"m{n}")
        return loaded

    assert asyncio.run(scenario()) == LOADS
    assert list((tmp_path / "served").iterdir()) == []
