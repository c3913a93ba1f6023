"""The batch threads: what wakes them, what waits, and that a busy thread delays no other."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchingParameters
from cloudserve.local_server.batching import scheduler as batch_scheduler
from cloudserve.local_server.batching.costs import RunCosts
from cloudserve.local_server.batching.queues import BatchQueue
from cloudserve.local_server.batching.requests import Task, ThreadCompletion, settle
from cloudserve.local_server.batching.scheduler import Scheduler

MINUTE = 60 * 10**6


def task(size=1):
    return Task({"x:0": np.zeros(size)}, size, ThreadCompletion())


class Work:
    """Settles batches, once it may, and remembers their sizes and threads."""

    def __init__(self, costs=None, **parameters):
        self.queue = BatchQueue(BatchingParameters(**parameters), self.process, costs)
        self.threads = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Semaphore(0)
        self.batches = []

    def process(self, tasks):
        self.entered.release()
        assert self.go_on.wait(60)
        self.threads.append(threading.current_thread())
        self.batches.append([one.size for one in tasks])
        settle((one.completion, {}) for one in tasks)

    def wait_until_busy(self):
        assert self.entered.acquire(timeout=60)


@pytest.fixture
def scheduler():
    scheduler = Scheduler(2, "batch")
    scheduler.open()
    yield scheduler
    scheduler.close()


def test_a_task_wakes_a_thread(scheduler):
    work, one = Work(), task()
    scheduler.add([work.queue], one)
    assert one.completion.wait() == {}
    assert work.batches == [[1]]


def test_a_timeout_that_ends_wakes_a_thread(scheduler):
    work, one = Work(max_batch_size=10, batch_timeout_micros=1000), task()
    scheduler.add([work.queue], one)
    assert one.completion.wait() == {}


def test_two_batches_run_at_once_in_two_threads(scheduler):
    work = Work(max_batch_size=1)
    work.go_on.clear()
    tasks = [task(), task()]
    for one in tasks:
        scheduler.add([work.queue], one)
    work.wait_until_busy()
    work.wait_until_busy()
    work.go_on.set()
    for one in tasks:
        one.completion.wait()


def test_a_busy_threads_other_queue_is_run_by_the_second_thread(scheduler):
    slow, busy = Work(batch_timeout_micros=1000), Work()
    busy.go_on.clear()
    waiting = task()
    scheduler.add([busy.queue], task())
    busy.wait_until_busy()
    scheduler.add([slow.queue], waiting)
    assert waiting.completion.wait() == {}
    assert not busy.batches
    busy.go_on.set()
    scheduler.drain([busy.queue])


def test_of_several_queues_the_least_loaded_takes_a_task(scheduler):
    first, second = (Work(max_batch_size=4, batch_timeout_micros=MINUTE) for _ in range(2))
    queues = [first.queue, second.queue]
    for work in (first, second):
        work.go_on.clear()
        scheduler.add(queues, task(4))
        work.wait_until_busy()
    # Both run one batch; now the rows that wait decide.
    for size in (2, 1, 1):
        scheduler.add(queues, task(size))
    assert [queue.load[:2] for queue in queues] == [(2, 2), (2, 2)]
    first.go_on.set()
    second.go_on.set()
    scheduler.drain(queues)
    assert (sorted(first.batches), sorted(second.batches)) == ([[2], [4]], [[1, 1], [4]])


def test_of_equal_queues_the_longest_unused_takes_a_task():
    times = iter(range(100))
    scheduler = Scheduler(1, "turns", lambda: next(times))
    works = [Work(max_batch_size=10, batch_timeout_micros=100 * MINUTE) for _ in range(3)]
    queues = [work.queue for work in works]
    for _ in range(5):
        scheduler.add(queues, task(2))
    assert [queue.load[:2] for queue in queues] == [(1, 4), (1, 4), (1, 2)]
    scheduler.add([queues[2]], task(2))
    # Equal again; the first was used before the second, the third last.
    scheduler.add(queues, task())
    assert [queue.load[1] for queue in queues] == [5, 4, 4]


def test_a_queue_that_is_busy_leaves_a_task_to_the_other(scheduler):
    busy, idle = Work(), Work()
    busy.go_on.clear()
    scheduler.add([busy.queue], task())
    busy.wait_until_busy()
    one = task()
    scheduler.add([busy.queue, idle.queue], one)
    assert one.completion.wait() == {}
    busy.go_on.set()
    scheduler.drain([busy.queue, idle.queue])
    assert (busy.batches, idle.batches) == ([[1]], [[1]])


def test_a_drain_waits_for_its_own_queues_only(scheduler):
    busy, other = Work(), Work(max_batch_size=10, batch_timeout_micros=MINUTE)
    busy.go_on.clear()
    scheduler.add([busy.queue], task())
    busy.wait_until_busy()
    for _ in range(3):
        scheduler.add([other.queue], task())
    scheduler.drain([other.queue])
    assert (other.batches, busy.batches) == ([[1, 1, 1]], [])
    busy.go_on.set()
    scheduler.drain([busy.queue])
    assert busy.batches == [[1]]


def test_tasks_of_many_threads_are_each_settled_once(scheduler):
    work = Work(max_batch_size=7, max_enqueued_batches=1000)

    def call(size):
        one = task(size % 7)
        scheduler.add([work.queue], one)
        return one.completion.wait()

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(call, range(700))) == [{}] * 700
    scheduler.drain([work.queue])
    assert sum(map(sum, work.batches)) == 2100
    assert sum(map(len, work.batches)) == 700
    assert max(map(sum, work.batches)) <= 7


def test_the_last_user_ends_the_threads_and_the_next_starts_them_again():
    scheduler = Scheduler(2, "turns")

    def count():
        return sum(thread.name.startswith("turns") for thread in threading.enumerate())

    for _ in range(20):
        scheduler.open()
        scheduler.open()
        scheduler.close()
        assert count() == 2
        scheduler.close()
        assert count() == 0


# Turns of an event loop.


def in_turn(scheduler, queue, *tasks):
    """Add tasks in one turn of a loop, and wait until the turn has ended."""

    async def main():
        for one in tasks:
            scheduler.add_in_turn([queue], one, asyncio.get_running_loop())
        await asyncio.sleep(0)  # the end of the turn was scheduled before

    asyncio.run(main())


@pytest.fixture
def cheap():
    """Give costs that are small at each size."""
    costs = RunCosts()
    for rows in (1, 2, 4, 8):
        costs.record(rows, 1e-6)
    return costs


def test_a_cheap_batch_of_one_turn_runs_on_the_loop(scheduler, cheap):
    work = Work(max_batch_size=8, costs=cheap)
    in_turn(scheduler, work.queue, task(), task(2), task())
    assert (work.batches, work.threads) == ([[1, 2, 1]], [threading.current_thread()])


def test_a_full_batch_does_not_wait_for_the_end_of_the_turn(scheduler, cheap):
    work = Work(max_batch_size=2, max_enqueued_batches=1, costs=cheap)
    in_turn(scheduler, work.queue, *(task() for _ in range(5)))
    assert work.batches == [[1, 1], [1, 1], [1]]
    assert set(work.threads) == {threading.current_thread()}


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_a_batch_that_is_not_known_to_be_cheap_is_left_to_the_threads(scheduler, seconds):
    costs = RunCosts()
    if seconds:
        costs.record(2, seconds)
    work, tasks = Work(costs=costs), [task(), task()]
    in_turn(scheduler, work.queue, *tasks)
    for one in tasks:
        one.completion.wait()
    assert work.batches == [[1, 1]]
    assert threading.current_thread() not in work.threads


def test_a_batch_that_waits_for_more_rows_is_left_to_the_threads(scheduler, cheap):
    work, one = Work(max_batch_size=8, batch_timeout_micros=1000, costs=cheap), task()
    in_turn(scheduler, work.queue, one)
    one.completion.wait()
    assert threading.current_thread() not in work.threads


async def later(scheduler, queue, *tasks):
    """Add tasks one a turn, each but the last before others that follow."""
    loop = asyncio.get_running_loop()
    for one in tasks:
        scheduler.add_in_turn([queue], one, loop, others_follow=one is not tasks[-1])
        await asyncio.sleep(0)


def test_a_batch_waits_for_tasks_that_follow_in_later_turns(scheduler, cheap, monkeypatch):
    monkeypatch.setattr(batch_scheduler, "_FOLLOW_SECONDS", 60.0)
    work = Work(max_batch_size=8, costs=cheap)

    async def main():
        await later(scheduler, work.queue, task(), task(2), task())
        await asyncio.sleep(0)

    asyncio.run(main())
    assert work.batches == [[1, 2, 1]]


def test_tasks_that_should_follow_and_do_not_delay_a_batch_for_a_moment(scheduler, cheap):
    work, one = Work(max_batch_size=8, costs=cheap), task()

    async def main():
        scheduler.add_in_turn([work.queue], one, asyncio.get_running_loop(), others_follow=True)
        await asyncio.to_thread(one.completion.wait)

    asyncio.run(main())
    assert work.batches == [[1]]


def test_tasks_that_follow_for_ever_delay_a_batch_no_longer(scheduler, cheap, monkeypatch):
    monkeypatch.setattr(batch_scheduler, "_FOLLOW_SECONDS", 0.0)
    work = Work(max_batch_size=10**6, costs=cheap)

    async def main():
        loop = asyncio.get_running_loop()
        while not work.batches:
            scheduler.add_in_turn([work.queue], task(), loop, others_follow=True)
            await asyncio.sleep(0)

    asyncio.run(main())
    assert work.batches


def test_a_drain_runs_what_waits_for_others(scheduler, cheap, monkeypatch):
    monkeypatch.setattr(batch_scheduler, "_FOLLOW_SECONDS", 60.0)
    work, one = Work(max_batch_size=8, costs=cheap), task()

    async def main():
        scheduler.add_in_turn([work.queue], one, asyncio.get_running_loop(), others_follow=True)
        await asyncio.sleep(0)
        await asyncio.to_thread(scheduler.drain, [work.queue])

    asyncio.run(main())
    assert work.batches == [[1]]
