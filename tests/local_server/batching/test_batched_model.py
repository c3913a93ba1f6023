"""Queued requests run together, and do not affect each other."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cloudserve.local_server.batching import BatchedModel, BatchingParameters, batched
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.models import Manager
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import NEVER, gathered, x


def test_requests_that_wait_together_run_in_one_call(model, batch):
    results = gathered(batch(), x(1), x(2, 3), x(), x(4))
    assert results == [[2], [4, 6], [], [8]]
    assert model.calls == [("serving_default", [1, 2, 3, 4])]


def test_threads_that_wait_are_answered_each_with_its_own(model, batch):
    wrapped = batch(max_batch_size=8, batch_timeout_micros=NEVER)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: wrapped.run("serving_default", x(n)), range(8)))
    assert [answer["y"].tolist() for answer in answers] == [[2 * n] for n in range(8)]
    ((signature, rows),) = model.calls
    assert (signature, sorted(rows)) == ("serving_default", list(range(8)))


def test_a_batch_takes_no_more_than_its_size(model, batch):
    results = gathered(batch(max_batch_size=2), x(1), x(2), x(3, 4), x(5))
    assert results == [[2], [4], [6, 8], [10]]
    assert [rows for _, rows in model.calls] == [[1, 2], [3, 4], [5]]


def test_a_large_request_is_spread_and_joined(model, batch):
    wrapped = batch(enable_large_batch_splitting=True, max_execution_batch_size=2)
    assert gathered(wrapped, x(1), x(2, 3, 4, 5)) == [[2], [4, 6, 8, 10]]
    assert [rows for _, rows in model.calls] == [[1, 2], [3, 4], [5]]


def test_an_error_in_one_piece_is_the_whole_requests(model, batch):
    wrapped = batch(enable_large_batch_splitting=True, max_execution_batch_size=2)
    refused = (Code.INVALID_ARGUMENT, "-1 is refused")
    assert gathered(wrapped, x(1, 2, 3, -1, 5), x(6)) == [refused, [12]]


def test_rows_are_padded_to_allowed_sizes_and_dropped_again(model, batch):
    wrapped = batch(max_batch_size=4, allowed_batch_sizes=(1, 4))
    assert gathered(wrapped, x(1), x(2)) == [[2], [4]]
    assert model.calls == [("serving_default", [1, 2, 2, 2])]


# Who goes with whom.


def test_other_outputs_go_their_own_way(model, batch):
    wrapped = batch(max_batch_size=2, threads=2, batch_timeout_micros=NEVER)

    async def main():
        names = ("serving_default", "other", "serving_default", "other")
        return await asyncio.gather(*(wrapped.submit(n, x(i)) for i, n in enumerate(names)))

    answers = asyncio.run(main())
    assert [list(answer) for answer in answers] == [["y"], ["z"], ["y"], ["z"]]
    assert sorted(model.calls) == [("other", [1, 3]), ("serving_default", [0, 2])]


def test_signatures_over_the_same_tensors_share_a_queue_under_their_own_aliases(model, batch):
    wrapped = batch(max_batch_size=2, batch_timeout_micros=NEVER)

    async def main():
        same = {"inputs": np.array([2], np.float32)}
        return await asyncio.gather(
            wrapped.submit("serving_default", x(1)), wrapped.submit("same", same)
        )

    first, second = asyncio.run(main())
    assert (first["y"].tolist(), second["outputs"].tolist()) == ([2], [4])
    assert model.calls == [("serving_default", [1, 2])]


def test_other_choices_of_outputs_go_their_own_way_and_are_all_that_is_computed(model, batch):
    wrapped = batch(max_batch_size=2, threads=2, batch_timeout_micros=NEVER)

    async def main():
        choices = [(), ("y",), (), ("y",)]
        return await asyncio.gather(
            *(wrapped.submit("both", x(i), wanted) for i, wanted in enumerate(choices))
        )

    answers = asyncio.run(main())
    assert [sorted(answer) for answer in answers] == [["y", "z"], ["y"], ["y", "z"], ["y"]]
    assert sorted(model.calls) == [("both", [0, 2]), ("both", [1, 3])]


def test_only_so_many_choices_of_outputs_have_queues(batch):
    wrapped = batch()
    for _ in range(2):
        for order in itertools.permutations(["y", "z"] * 3):
            assert set(wrapped.run("both", x(1), order)) == {"y", "z"}
    assert len(wrapped._routes) <= 64 + len(wrapped.signatures)


def test_an_output_may_have_two_aliases(batch):
    answer = batch().run("twice", x(1))
    assert {alias: array.tolist() for alias, array in answer.items()} == {"y": [2], "y_again": [2]}


def test_requests_that_leave_an_input_out_go_apart_from_those_that_give_it(model, batch):
    wrapped = batch(max_batch_size=2, threads=2, batch_timeout_micros=NEVER)

    async def main():
        keyed = {**x(1), "keys": np.array([7], np.int32)}
        requests = (keyed, x(2), keyed, x(3))
        return await asyncio.gather(*(wrapped.submit("keyed", request) for request in requests))

    asyncio.run(main())
    assert sorted(rows for _, rows in model.calls) == [[1, 1], [2, 3]]


def test_two_models_share_the_threads_and_nothing_else(model, new_model, batch):
    scheduler = Scheduler(1, "batch")
    one, other = batch(scheduler=scheduler), batch(new_model(), scheduler=scheduler)
    assert gathered(one, x(1)) == [[2]]
    assert other.run("serving_default", x(5))["y"].tolist() == [10]
    assert model.calls == [("serving_default", [1])]


def test_an_array_of_another_element_type_goes_alone(model, batch):
    wrapped = batch(max_batch_size=2, batch_timeout_micros=NEVER)
    assert wrapped.run("serving_default", {"x": np.array([1.0])})["y"].dtype == np.float64
    assert asyncio.run(wrapped.submit("serving_default", {"x": np.array([1.0])}))["y"] == [2]


def test_an_input_of_several_tensors_goes_alone(model, batch):
    wrapped = batch(batch_timeout_micros=NEVER)
    assert wrapped.run("sparse", x(1))["y"].tolist() == [2]


# Any mixture.

ALIASES = {
    "serving_default": ("x", "y", 2),
    "other": ("x", "z", 3),
    "same": ("inputs", "outputs", 2),
}
REQUESTS = st.lists(
    st.tuples(st.sampled_from(sorted(ALIASES)), st.integers(0, 6)),
    min_size=1,
    max_size=24,
)


@settings(deadline=None, max_examples=60)
@given(REQUESTS, st.integers(1, 6), st.booleans(), st.booleans(), st.sampled_from([0, 200]))
def test_any_mixture_of_requests_gets_each_its_own_rows(
    new_model, requests, limit, splits, pads, timeout
):
    parameters = BatchingParameters(
        max_batch_size=6,
        batch_timeout_micros=timeout,
        max_enqueued_batches=1000,
        enable_large_batch_splitting=splits,
        max_execution_batch_size=limit,
        allowed_batch_sizes=(2, 5, 6) if pads else (),
    )
    model, number = new_model(), itertools.count()
    wrapped = BatchedModel(model, parameters, Scheduler(2, "mixture"))
    given_rows = [[next(number) for _ in range(size)] for _, size in requests]

    async def main():
        return await asyncio.gather(
            *(
                wrapped.submit(name, {ALIASES[name][0]: np.array(rows, np.float32)})
                for (name, _), rows in zip(requests, given_rows, strict=True)
            )
        )

    try:
        answers = asyncio.run(main())
    finally:
        wrapped.close()
    for (name, _), rows, answer in zip(requests, given_rows, answers, strict=True):
        _, alias, factor = ALIASES[name]
        assert {a: v.tolist() for a, v in answer.items()} == {alias: [factor * n for n in rows]}
    largest = max(len(rows) for _, rows in model.calls)
    assert largest <= (limit if splits and not pads else 6)
    assert not pads or all(len(rows) in {0, 2, 5, 6} for _, rows in model.calls)


# A real model.


def test_a_real_model_answers_many_threads_through_the_manager(shared_models):
    parameters = BatchingParameters(
        max_batch_size=16, num_batch_threads=2, max_enqueued_batches=100
    )
    manager = Manager(batched(load_model, parameters))
    path = shared_models / "tfs_half_plus_two_cpu/123"
    asyncio.run(manager.load("half", 1, path))

    def ask_manager(n):
        with manager.handle("half") as servable:
            return servable.model.run("serving_default", x(n, n + 1))["y"].tolist()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask_manager, range(400)))
    assert answers == [[n / 2 + 2, (n + 1) / 2 + 2] for n in range(400)]
    asyncio.run(manager.unload("half", 1))


def test_a_real_model_takes_lengths_padded_to_each_other(shared_models):
    parameters = BatchingParameters(
        max_batch_size=2,
        batch_timeout_micros=NEVER,
        pad_variable_length_inputs=True,
    )
    model = batched(load_model, parameters)(shared_models / "tfs_half_plus_two_cpu/123")

    async def main():
        return await asyncio.gather(
            model.submit("serving_default", x([2, 4])), model.submit("serving_default", x([6]))
        )

    short, long = asyncio.run(main())
    assert (short["y"].tolist(), long["y"].tolist()) == ([[3, 4]], [[5, 5]])
    model.close()
