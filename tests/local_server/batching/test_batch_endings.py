"""Refused and cancelled requests, and the end of a batcher: other requests are not affected."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from cloudserve.local_server.batching.requests import LoopCompletion, ThreadCompletion, settle
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.status import Code, StatusError

from .conftest import NEVER, gathered, outcome, x


def refusal(function, *args):
    with pytest.raises(StatusError) as caught:
        function(*args)
    return caught.value.code, caught.value.message


def ask(model, n):
    return model.run("serving_default", x(n))["y"].tolist()


# What is refused, and whom it concerns.


def test_a_scalar_and_a_signature_without_inputs_cannot_be_batched(batch):
    wrapped = batch()
    assert refusal(wrapped.run, "serving_default", {"x": np.float32(1)[...]}) == (
        Code.INVALID_ARGUMENT,
        "Batching Run() input tensors must have at least one dimension",
    )
    assert refusal(wrapped.run, "nothing", {}) == (
        Code.INVALID_ARGUMENT,
        "Batching Run() must have at least one input tensor",
    )
    keys = np.array([1, 2], np.int32)
    assert refusal(wrapped.run, "keyed", {**x(1), "keys": keys}) == (
        Code.INVALID_ARGUMENT,
        "Batching Run() input tensors must have equal 0th-dimension size",
    )


def test_a_request_too_large_is_refused_at_once(batch):
    wrapped = batch(max_batch_size=2)
    assert refusal(wrapped.run, "serving_default", x(1, 2, 3)) == (
        Code.INVALID_ARGUMENT,
        "Task size 3 is larger than maximum input batch size 2",
    )


def test_a_full_queue_refuses_one_request_and_answers_the_others(batch):
    wrapped = batch(max_batch_size=1, max_enqueued_batches=2)
    full = (
        "The batch scheduling queue to which this task was submitted is full; currently 2 "
        "batches enqueued and max_enqueued_batches is 2"
    )
    assert gathered(wrapped, x(1), x(2), x(3)) == [[2], [4], (Code.UNAVAILABLE, full)]


def test_an_error_is_that_of_every_request_in_the_batch_and_of_no_other(batch):
    wrapped = batch(max_batch_size=2)
    refused = (Code.INVALID_ARGUMENT, "-1 is refused")
    assert gathered(wrapped, x(1), x(-1), x(3), x(4)) == [refused, refused, [6], [8]]


def test_a_defect_of_a_model_is_raised_to_its_callers_and_the_thread_lives_on(batch):
    wrapped = batch()
    with pytest.raises(AttributeError, match="a defect"):
        wrapped.run("serving_default", x(-2))
    assert ask(wrapped, 1) == [2]


def test_requests_that_share_an_error_raise_one_each(batch):
    wrapped = batch(max_batch_size=2, batch_timeout_micros=NEVER)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(wrapped.run, "serving_default", x(-1)) for _ in range(2)]
        first, second = (future.exception(10) for future in futures)
    assert first is not second
    assert (first.code, first.message) == (second.code, second.message)
    assert first.__cause__ is second.__cause__


# Requests that are given up.


def test_a_request_that_is_cancelled_is_not_run_and_its_neighbours_are(model, batch):
    async def cancel(tasks):
        tasks[1].cancel()
        await asyncio.wait(tasks[1:2])

    first, second, third = gathered(batch(), x(1), x(2), x(3), before=cancel)
    assert (first, third) == ([2], [6])
    assert isinstance(second, asyncio.CancelledError)
    assert model.calls == [("serving_default", [1, 3])]


def test_a_batch_that_nobody_waits_for_is_not_run(model, batch):
    async def cancel(tasks):
        tasks[0].cancel()
        await asyncio.wait(tasks)

    gathered(batch(), x(1), before=cancel)
    assert model.calls == []


def test_a_request_cancelled_while_it_runs_harms_no_neighbour(model, batch):
    wrapped = batch(max_batch_size=2, batch_timeout_micros=NEVER)
    model.go_on.clear()

    async def main():
        tasks = [asyncio.create_task(wrapped.submit("serving_default", x(n))) for n in (1, 2)]
        await asyncio.to_thread(model.wait_until_busy)
        tasks[0].cancel()
        model.go_on.set()
        return (await asyncio.gather(*tasks, return_exceptions=True))[1]["y"].tolist()

    assert asyncio.run(main()) == [4]


def test_a_closed_loop_harms_no_neighbour(caplog):
    async def completion():
        return LoopCompletion()

    thread = ThreadCompletion()
    settle([(asyncio.run(completion()), {}), (thread, {"y:0": 1})])
    assert thread.wait() == {"y:0": 1}
    assert caplog.messages == ["the event loop of 1 answer is closed"]


class Clock:
    """Time that passes when the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_batch_whose_every_deadline_has_passed_is_not_run(model, batch):
    clock = Clock()
    wrapped = batch(scheduler=Scheduler(1, "batch", clock))
    assert (
        submitted_late(wrapped, clock, 101, 102)
        == [(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")] * 2
    )
    assert model.calls == [("serving_default", [0])]


@pytest.mark.parametrize("later", [104, None])
def test_a_batch_runs_whole_while_one_of_its_deadlines_lies_ahead(model, batch, later):
    clock = Clock()
    wrapped = batch(scheduler=Scheduler(1, "batch", clock))
    assert submitted_late(wrapped, clock, 101, later) == [[0], [2]]
    assert model.calls[1:] == [("serving_default", [0, 1])]


def submitted_late(wrapped, clock, *deadlines):
    """Submit a request for each deadline while the thread is busy; it is free again at 103."""
    model = wrapped._model

    async def main():
        model.go_on.clear()
        first = asyncio.create_task(wrapped.submit("serving_default", x(0)))
        await asyncio.to_thread(model.wait_until_busy)
        tasks = [
            asyncio.create_task(outcome(wrapped.submit("serving_default", x(n), deadline=deadline)))
            for n, deadline in enumerate(deadlines)
        ]
        await asyncio.sleep(0)  # lets each task queue its request
        clock.now = 103.0
        model.go_on.set()
        await first
        return await asyncio.gather(*tasks)

    return asyncio.run(main())


# The end.


def test_in_a_hurry_no_request_waits_for_others_any_more(model, batch):
    wrapped = batch(batch_timeout_micros=NEVER)

    async def main():
        tasks = [asyncio.create_task(wrapped.submit("serving_default", x(n))) for n in (1, 2)]
        await asyncio.sleep(0)  # lets each task queue its request
        wrapped.hurry()
        late = [wrapped.submit("serving_default", x(3)), wrapped.submit("other", x(4))]
        return [await one for one in (*tasks, *late)]

    *answers, other = asyncio.run(main())
    assert [answer["y"].tolist() for answer in answers] == [[2], [4], [6]]
    assert other["z"].tolist() == [12]


def test_a_close_runs_what_is_queued_first(model, batch):
    wrapped = batch(batch_timeout_micros=NEVER)

    async def main():
        task = asyncio.create_task(wrapped.submit("serving_default", x(1)))
        await asyncio.sleep(0)  # lets it queue its request
        assert not task.done()
        await asyncio.to_thread(wrapped.close)
        return (await task)["y"].tolist()

    assert asyncio.run(main()) == [2]
    assert model.closed
    assert refusal(wrapped.run, "serving_default", x(1)) == (
        Code.CANCELLED,
        "Session has been closed.",
    )


def test_a_close_waits_for_what_runs(model, batch):
    wrapped = batch()
    model.go_on.clear()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(wrapped.run, "serving_default", x(1))
        model.wait_until_busy()
        closing = pool.submit(wrapped.close)
        assert not model.closed  # Doubler.run asserts that it stays so
        model.go_on.set()
        wait([running, closing], timeout=60)
        assert running.result()["y"].tolist() == [2]
        closing.result()
    assert model.closed


def test_the_threads_are_there_while_a_model_is(new_model, batch):
    def threads():
        return sorted(t.name for t in threading.enumerate() if t.name.startswith("mine-"))

    scheduler = Scheduler(2, "mine")
    assert threads() == []
    one, two = (batch(new_model(), scheduler=scheduler) for _ in range(2))
    assert threads() == ["mine-0", "mine-1"]
    one.close()
    assert ask(two, 1) == [2]
    two.close()
    assert threads() == []
    three = batch(new_model(), scheduler=scheduler)
    assert ask(three, 1) == [2]
    three.close()
    assert threads() == []
