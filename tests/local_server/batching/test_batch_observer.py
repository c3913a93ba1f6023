"""The observer of batching: each request's rows, each batch's waits and padding, the queue."""

import asyncio

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchedModel, BatchingParameters
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.status import StatusError


class Clock:
    """A time that a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


class Heard(list):
    """An observer that keeps its calls."""

    def queued(self, size):
        self.append(size)

    def ran(self, pool, waits, size, padding):
        self.append((pool, list(waits), size, padding))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def wrapped(model, clock, heard):
    parameters = BatchingParameters(max_batch_size=8, allowed_batch_sizes=(4, 8))
    wrapped = BatchedModel(model, parameters, Scheduler(1, "pool", clock), heard)
    yield wrapped
    model.go_on.set()
    wrapped.close()


def submit(wrapped, *values):
    return wrapped.submit("serving_default", {"x": np.array(values, np.float32)})


def test_requests_and_the_batch_they_make_are_reported(model, wrapped, clock, heard):
    async def main():
        model.go_on.clear()
        first = asyncio.create_task(submit(wrapped, 0))
        await asyncio.to_thread(model.wait_until_busy)
        assert wrapped.waiting == 0
        one = asyncio.create_task(submit(wrapped, 1, 2))
        await asyncio.sleep(0)  # lets the task queue its request
        clock.now += 0.5
        two = asyncio.create_task(submit(wrapped, 3, 4, 5))
        await asyncio.sleep(0)
        assert wrapped.waiting == 2
        clock.now += 0.25
        model.go_on.set()
        await asyncio.gather(first, one, two)

    asyncio.run(main())
    assert heard == [1, ("pool", [0], 1, 3), 2, 3, ("pool", [0.75, 0.25], 5, 3)]
    assert wrapped.waiting == 0


def test_a_request_refused_before_the_queue_is_not_observed(wrapped, heard):
    with pytest.raises(StatusError, match="at least one dimension"):
        asyncio.run(wrapped.submit("serving_default", {"x": np.float32(1)}))
    assert heard == []
