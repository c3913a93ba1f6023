"""Loads: they take turns, fail in words of their own, and end before they are cleaned up."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.model_hosting import ModelHosting, Servable
from cloudserve.local_server.models import Manager

from cloudserve.errors import ModelError

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
        hosting = ModelHosting(Manager(load), tmp_path / "served")
        hosting.prepare()
        loads = [
            asyncio.create_task(
                hosting.load(f"m{n}", lambda folder, n=n: [Servable(f"m{n}", 1, folder)])
            )
            for n in range(LOADS)
        ]
        try:
            for _ in range(10):
                await asyncio.wait_for(asyncio.to_thread(bool), 60)
        finally:
            release.set()
        await asyncio.gather(*loads)
        loaded = sum(bool(hosting.loaded(f"m{n}")) for n in range(LOADS))
        for n in range(LOADS):
            await hosting.unload(f"m{n}")
        return loaded

    assert asyncio.run(scenario()) == LOADS
    assert list((tmp_path / "served").iterdir()) == []


def test_a_failure_names_files_by_their_place_in_the_model(tmp_path):
    def load(path: Path):
        raise ModelError(f"{path}/variables/variables.index is missing")

    hosting = ModelHosting(Manager(load), tmp_path / "served")
    hosting.prepare()
    with pytest.raises(ModelError) as caught:
        asyncio.run(hosting.load("m", lambda folder: [Servable("m", 1, folder / "model")]))
    assert caught.value.message == "model/variables/variables.index is missing"
    assert list((tmp_path / "served").iterdir()) == []


def test_a_cancelled_load_ends_before_its_folder_goes(tmp_path):
    begun, release = threading.Event(), threading.Event()

    def stage(folder: Path) -> list[Servable]:
        begun.set()
        release.wait(30)
        (folder / "late").write_bytes(b"written after the cancellation")
        return []

    async def scenario() -> None:
        hosting = ModelHosting(Manager(lambda _: Empty()), tmp_path / "served")
        hosting.prepare()
        load = asyncio.create_task(hosting.load("m", stage))
        await asyncio.to_thread(begun.wait, 30)
        load.cancel()
        for _ in range(5):
            # Each goes through the pool that would do the cleaning up.
            await asyncio.to_thread(bool)
        assert not load.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await load

    asyncio.run(scenario())
    assert list((tmp_path / "served").iterdir()) == []
