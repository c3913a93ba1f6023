from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.clouds.background_tasks import BackgroundTasks


def test_the_work_of_one_key_runs_in_the_order_it_was_started():
    async def story() -> list[str]:
        work, gate, observed = BackgroundTasks(), asyncio.Event(), []

        async def first() -> None:
            await gate.wait()
            observed.append("first")

        async def second() -> None:
            observed.append("second")

        async def other() -> None:
            observed.append("other")
            gate.set()

        work.start("a", first())
        work.start("a", second())
        work.start("b", other())
        await work.settled("a")
        await work.settled("never started")
        await work.close()
        return observed

    assert asyncio.run(story()) == ["other", "first", "second"]


def test_closing_cancels_running_tasks():
    async def story() -> list[str]:
        work, started, observed = BackgroundTasks(), asyncio.Event(), []

        async def endless() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                observed.append("cancelled")

        work.start("a", endless())
        work.start("a", endless())
        await started.wait()
        await work.close()
        return observed

    assert asyncio.run(story()) == ["cancelled"]


def test_a_defect_in_the_work_shows_when_it_is_closed():
    async def story() -> None:
        work = BackgroundTasks()

        async def broken() -> None:
            raise ZeroDivisionError

        work.start("a", broken())
        await work.settled("a")
        await work.close()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(story())
