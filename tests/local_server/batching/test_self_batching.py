"""A server that batches by itself: no request gets another answer, fails for another, or waits."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchedModel
from cloudserve.local_server.batching.costs import RunCosts
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudserve.savedmodel.signature import Signature, TensorSpec

from .conftest import outcome, x

ROWS = (None,)
X, Y = (TensorSpec(alias, f"{alias}:0", "float32", ROWS) for alias in "xy")
FUNCTIONS = {
    "serving_default": lambda x: x * 2,
    "dependent": lambda x: x - x.mean(axis=0),
    "counter": lambda x: x * 2,
    "fixed": lambda x: x * 2,
    "flat": lambda x: x * 2,
}
SIGNATURES = (
    *(Signature(name, "", (X,), (Y,)) for name in ("serving_default", "dependent", "counter")),
    Signature("fixed", "", (replace(X, shape=(1,)),), (Y,)),
    Signature("flat", "", (X,), (replace(Y, shape=()),)),
)


class Doubler:
    """Runs FUNCTIONS; refuses rows of -1, and defects at rows of -2. "counter" is not stateless."""

    def __init__(self):
        self.signatures = self.all_signatures = {one.name: one for one in SIGNATURES}
        self.steady = frozenset(FUNCTIONS)
        self.stateless = self.steady - {"counter"}
        self.calls, self.threads = [], []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def run(self, signature, inputs, wanted=()):
        array = inputs["x"]
        self.calls.append(array.tolist())
        self.threads.append(threading.current_thread())
        self.entered.set()
        assert self.go_on.wait(60)
        if (array == -1).any():
            raise StatusError(Code.INVALID_ARGUMENT, f"-1 is refused among {array.size}")
        if (array == -2).any():
            raise AttributeError("a defect")
        return {"y": FUNCTIONS[signature](array)}

    def close(self):
        pass


@pytest.fixture
def model():
    return Doubler()


@pytest.fixture
def wrapped(model):
    wrapped = BatchedModel(model, None, Scheduler(1, "batch"))
    yield wrapped
    model.go_on.set()
    wrapped.close()


def gather(wrapped, *requests, signature="serving_default"):
    """Submit requests in one turn of the loop."""

    async def main():
        submitted = [outcome(wrapped.submit(signature, request)) for request in requests]
        return await asyncio.gather(*submitted, return_exceptions=True)

    return asyncio.run(main())


@pytest.fixture
def prove(monkeypatch):
    """Return a function that has a signature proven, with costs that stay: cheap, or slow."""

    def prove(wrapped, model, *, seconds=1e-6):
        for _ in range(12):
            gather(wrapped, x(1), x(3))
        (route,) = (one for one in wrapped._routes.values() if one)
        scheduler = wrapped._scheduler
        with scheduler._lock:  # a thread answers before it takes note that its run has ended
            assert scheduler._idle.wait_for(lambda: route.queues[0].idle, 60)
        costs = route.queues[0]._costs
        costs._per_row[:], costs._trials[:] = [seconds, seconds / 2], [3, 3]
        monkeypatch.setattr(RunCosts, "record", lambda *_: None)
        model.calls.clear()
        model.threads.clear()

    return prove


def test_requests_of_one_turn_run_together_on_the_loop_once_that_is_known_to_be_safe(
    wrapped, model, prove
):
    first = gather(wrapped, x(1))
    assert model.threads[0] is not threading.current_thread()
    prove(wrapped, model)
    assert gather(wrapped, x(4), x(5)) == [[8], [10]]
    assert first == [[2]]
    assert model.calls == [[4, 5]]
    assert model.threads == [threading.current_thread()]


def test_a_lone_request_is_answered_alone(wrapped, model, prove):
    prove(wrapped, model)
    assert gather(wrapped, x(4)) == [[8]]
    assert model.calls == [[4]]


def lone(wrapped, *turns):
    """Run requests in turns of so many; give the answers, None for one that is to be queued."""

    async def main():
        answers = []
        route = wrapped.route("serving_default", x(4))
        for requests in turns:
            answers += [wrapped.run_lone(route, x(4)) for _ in range(requests)]
            await asyncio.sleep(0)  # the end of the turn was scheduled before
        return [answer and answer["y"].tolist() for answer in answers]

    return asyncio.run(main())


def test_the_first_request_of_a_turn_runs_at_once_while_turns_have_one(wrapped, model, prove):
    prove(wrapped, model)
    assert lone(wrapped, 1, 1) == [[8], [8]]
    assert model.calls == [[4], [4]]
    assert model.threads == [threading.current_thread()] * 2
    assert lone(wrapped, 3, 1, 1) == [[8], None, None, None, [8]]


def test_a_request_that_is_not_known_to_be_cheap_does_not_run_at_once(wrapped, model, prove):
    assert lone(wrapped, 1) == [None]
    prove(wrapped, model, seconds=1.0)
    assert lone(wrapped, 1) == [None]


def test_an_error_of_a_request_that_runs_at_once_is_its_own(wrapped, model, prove):
    prove(wrapped, model)

    async def main():
        return wrapped.run_lone(wrapped.route("serving_default", x(-1)), x(-1))

    with pytest.raises(StatusError, match="-1 is refused among 1"):
        asyncio.run(main())


def test_the_first_answers_are_those_of_requests_that_ran_alone(wrapped, model):
    assert gather(wrapped, x(1), x(3)) == [[2], [6]]
    assert model.calls[:2] == [[1], [3]]


def test_a_slow_model_runs_in_a_batch_thread(wrapped, model, prove):
    prove(wrapped, model, seconds=1.0)
    assert gather(wrapped, x(4), x(5)) == [[8], [10]]
    assert model.threads[0] is not threading.current_thread()


def test_requests_that_wait_for_a_busy_thread_run_as_one_batch(wrapped, model, prove):
    prove(wrapped, model, seconds=1.0)

    async def main():
        model.go_on.clear()
        model.entered.clear()
        first = asyncio.ensure_future(wrapped.submit("serving_default", x(1)))
        await asyncio.to_thread(model.entered.wait, 60)
        others = [asyncio.ensure_future(wrapped.submit("serving_default", x(n))) for n in (2, 3)]
        await asyncio.sleep(0)  # lets each task queue its request
        model.go_on.set()
        return [(await one)["y"].tolist() for one in (first, *others)]

    assert asyncio.run(main()) == [[2], [4], [6]]
    assert model.calls == [[1], [2, 3]]


# Who goes alone.


def test_rows_that_affect_each_other_never_run_together(wrapped, model, caplog):
    caplog.set_level("INFO")
    for _ in range(3):
        assert gather(wrapped, x(1), x(3), signature="dependent") == [[0], [0]]
    assert caplog.messages == [
        "requests of the signature dependent run one by one: rows affect others"
    ]
    model.calls.clear()
    gather(wrapped, x(1), x(3), signature="dependent")
    assert sorted(model.calls) == [[1], [3]]


@pytest.mark.parametrize("signature", ["counter", "fixed", "flat"])
def test_signatures_with_state_or_without_an_open_first_dimension_run_one_by_one(
    wrapped, model, signature
):
    for _ in range(3):
        gather(wrapped, x(1), x(3), signature=signature)
    assert sorted(model.calls) == [[1]] * 3 + [[3]] * 3


def test_only_rows_of_one_shape_run_together(wrapped, model):
    wide = {"x": np.ones((1, 2), np.float32)}
    for _ in range(12):
        assert gather(wrapped, x(1), wide, x(3), wide) == [[2], [[2, 2]], [6], [[2, 2]]]
    model.calls.clear()
    gather(wrapped, x(1), wide, x(3), wide)
    assert model.calls == [[1, 3], [[1, 1], [1, 1]]]


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": np.float32(3)[...]},
        {"x": np.zeros(0, np.float32)},
        {"x": np.array([3.0])},
    ],
    ids=["a scalar", "no rows", "another type"],
)
def test_inputs_that_are_no_rows_of_the_signature_run_alone_and_are_not_refused(
    wrapped, model, inputs, prove
):
    prove(wrapped, model)
    answer = asyncio.run(wrapped.submit("serving_default", inputs))["y"]
    assert np.array_equal(answer, inputs["x"] * 2)


def test_a_request_of_any_size_is_taken(wrapped):
    rows = np.arange(5000, dtype=np.float32)
    assert gather(wrapped, {"x": rows}) == [(rows * 2).tolist()]


# What fails.


def test_a_request_that_would_fail_alone_fails_alone(wrapped, model, prove):
    prove(wrapped, model)
    refused = (Code.INVALID_ARGUMENT, "-1 is refused among 1")
    assert gather(wrapped, x(1), x(-1)) == [[2], refused]
    assert gather(wrapped, x(-1), x(1)) == [refused, [2]]


def test_a_defect_reaches_its_own_caller_only(wrapped, model, prove):
    prove(wrapped, model)
    first, second = gather(wrapped, x(-2), x(1))
    assert isinstance(first, AttributeError)
    assert second == [2]


def test_a_first_request_that_fails_proves_nothing(wrapped, model):
    refused = (Code.INVALID_ARGUMENT, "-1 is refused among 1")
    assert gather(wrapped, x(-1), x(1)) == [refused, [2]]
    assert model.calls == [[-1], [1]]


def test_a_cancelled_request_is_not_run(wrapped, model, prove):
    prove(wrapped, model)

    async def main():
        first, second = (
            asyncio.ensure_future(wrapped.submit("serving_default", x(n))) for n in (4, 5)
        )
        await asyncio.sleep(0)
        first.cancel()
        return (await second)["y"].tolist()

    assert asyncio.run(main()) == [10]
    assert [4] not in model.calls


def test_a_closed_model_refuses_requests(model):
    wrapped = BatchedModel(model, None, Scheduler(1, "batch"))
    assert wrapped.run("serving_default", x(1))["y"].tolist() == [2]
    wrapped.close()
    with pytest.raises(StatusError, match="closed"):
        wrapped.run("serving_default", x(1))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 9), max_size=4), max_size=12))
def test_any_mixture_gets_the_answers_of_requests_alone(requests):
    model = Doubler()
    wrapped = BatchedModel(model, None, Scheduler(2, "batch"))
    try:
        for _ in range(4):
            answers = gather(wrapped, *(x(*values) for values in requests))
            for values, answer in zip(requests, answers, strict=True):
                if -1 in values:
                    assert answer == (Code.INVALID_ARGUMENT, f"-1 is refused among {len(values)}")
                else:
                    assert answer == [2 * value for value in values]
    finally:
        wrapped.close()


def test_threads_that_call_together_are_answered_each_with_its_own(wrapped):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: wrapped.run("serving_default", x(n)), range(200)))
    assert [answer["y"].tolist() for answer in answers] == [[2 * n] for n in range(200)]
