"""Work runs to completion although its caller is cancelled; resources wait for their users."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from cloudserve.local_server.tasks import Ending, Usage, to_completion


def test_the_result_of_the_work_is_returned():
    async def work() -> int:
        return 7

    assert asyncio.run(to_completion(work())) == 7


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_a_cancelled_caller_waits_until_the_work_has_ended(fails):
    async def run() -> bool:
        started, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            started.set()
            await release.wait()
            ended.set()
            if fails:
                raise ValueError("the work failed")

        caller = asyncio.create_task(to_completion(work()))
        await started.wait()
        caller.cancel()
        done, _ = await asyncio.wait([caller], timeout=0.05)
        assert not done
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return ended.is_set()

    assert asyncio.run(run())


def test_a_resource_is_unused_once_its_last_user_has_left():
    async def run() -> None:
        usage = Usage()
        await usage.unused()
        with usage.hold():
            with usage.hold():
                waiter = asyncio.create_task(usage.unused())
                await asyncio.sleep(0)
            done, _ = await asyncio.wait([waiter], timeout=0.05)
            assert not done
        await waiter

    asyncio.run(run())


def test_work_without_an_end_is_left_and_later_work_is_not_waited_for():
    ended = []

    async def run():
        never, ending = asyncio.Event(), Ending(seconds=0.01)

        async def close(name, event=None):
            if event:
                await event.wait()
            ended.append(name)

        await ending.end(partial(close, "quick"))
        assert not ending.is_stuck
        await ending.end(partial(close, "stuck", never))
        assert ending.is_stuck
        await ending.end(partial(close, "later", never))
        assert ended == ["quick"]
        never.set()  # they were not cancelled
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(run())
    assert ended == ["quick", "stuck", "later"]


def test_an_error_at_the_end_is_raised():
    async def fail():
        raise OSError

    with pytest.raises(OSError):
        asyncio.run(Ending().end(fail))
