"""The rules of the batch queue: which tasks run together and when, with the test's clock."""

import math

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchingParameters
from cloudserve.local_server.batching.queues import BatchQueue, RoundRobin
from cloudserve.local_server.batching.requests import Task, ThreadCompletion
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

FULL = "The batch scheduling queue to which this task was submitted is full"
MILLISECOND = 1000


def task(size):
    return Task({"x:0": np.zeros((size, 1), np.float32)}, size, ThreadCompletion())


def queue(**parameters):
    return BatchQueue(BatchingParameters(**parameters), pytest.fail)


def filled(*sizes, now=0.0, **parameters):
    made = queue(**parameters)
    for size in sizes:
        made.add(task(size), now)
    return made


def sizes(tasks):
    return [one.size for one in tasks]


def take_all(made, now=math.inf):
    batches = []
    while tasks := made.take(now):
        batches.append(sizes(tasks))
    return batches


def refusal(made, size):
    with pytest.raises(StatusError) as caught:
        made.add(task(size), 0.0)
    return caught.value.code, caught.value.message


def test_with_a_timeout_of_0_whatever_is_queued_runs_together_at_once():
    made = filled(1, 2, 1, now=5.0, max_batch_size=10)
    assert made.due() == 5.0
    assert take_all(made, 5.0) == [[1, 2, 1]]
    assert made.due() is None


def test_an_open_batch_waits_for_its_timeout_from_its_first_task_on():
    made = queue(max_batch_size=10, batch_timeout_micros=20 * MILLISECOND)
    made.add(task(1), 1.0)
    made.add(task(1), 1.015)
    assert made.due() == pytest.approx(1.02)
    assert made.take(1.019) == []
    assert sizes(made.take(1.021)) == [1, 1]
    made.add(task(1), 3.0)
    assert made.due() == pytest.approx(3.02)


def test_a_full_batch_does_not_wait():
    made = filled(2, 2, max_batch_size=4, batch_timeout_micros=10**9)
    assert sizes(made.take(0.0)) == [2, 2]


def test_a_task_that_does_not_fit_closes_the_open_batch_and_opens_a_new_one():
    made = filled(3, 2, max_batch_size=4, batch_timeout_micros=10**9)
    assert sizes(made.take(0.0)) == [3]
    assert made.take(0.0) == []
    assert sizes(made.take(1001.0)) == [2]


def test_a_batch_of_exactly_the_limit_is_not_exceeded():
    assert take_all(filled(4, 1, 3, 4, max_batch_size=4)) == [[4], [1, 3], [4]]


def test_tasks_without_rows_wait_like_any_other():
    assert take_all(filled(0, 0, max_batch_size=4)) == [[0, 0]]


def test_a_task_that_is_too_large_is_refused():
    assert refusal(queue(max_batch_size=4), 5) == (
        Code.INVALID_ARGUMENT,
        "Task size 5 is larger than maximum input batch size 4",
    )


def test_a_full_queue_refuses_and_keeps_what_it_has():
    made = filled(4, 4, max_batch_size=4, max_enqueued_batches=2)
    text = f"{FULL}; currently 2 batches enqueued and max_enqueued_batches is 2"
    assert refusal(made, 1) == (Code.UNAVAILABLE, text)
    assert take_all(made) == [[4], [4]]


def test_a_full_queue_takes_what_fits_its_open_batch():
    made = filled(4, 3, max_batch_size=4, max_enqueued_batches=2)
    assert refusal(made, 2)[0] is Code.UNAVAILABLE
    made.add(task(1), 0.0)
    assert take_all(made) == [[4], [3, 1]]


def test_a_queue_that_was_full_takes_tasks_again_once_a_batch_was_taken():
    made = filled(4, 4, max_batch_size=4, max_enqueued_batches=2)
    made.take(0.0)
    made.add(task(4), 0.0)
    assert take_all(made) == [[4], [4]]


def test_no_enqueued_batches_count_as_one():
    made = filled(4, max_batch_size=4, max_enqueued_batches=0)
    text = f"{FULL}; currently 1 batches enqueued and max_enqueued_batches is 1"
    assert refusal(made, 1) == (Code.UNAVAILABLE, text)


# Splitting.

SPLIT = {"enable_large_batch_splitting": True, "max_execution_batch_size": 4}


def test_a_large_task_fills_the_open_batch_first_and_then_whole_ones():
    made = filled(1, 10, max_batch_size=20, batch_timeout_micros=10**9, **SPLIT)
    assert take_all(made, 0.0) == [[1, 3], [4]]
    made.add(task(1), 0.0)
    assert take_all(made) == [[3, 1]]


def test_a_large_task_behind_a_full_batch_starts_a_new_one():
    assert take_all(filled(4, 6, max_batch_size=20, **SPLIT)) == [[4], [4], [2]]


def test_a_task_that_fits_is_not_split():
    assert take_all(filled(2, 2, max_batch_size=20, **SPLIT)) == [[2, 2]]


def test_a_task_beyond_the_input_limit_is_refused_although_it_could_be_split():
    assert refusal(queue(max_batch_size=8, **SPLIT), 9) == (
        Code.INVALID_ARGUMENT,
        "Task size 9 is larger than maximum input batch size 8",
    )


def test_a_task_whose_pieces_do_not_all_fit_is_refused_whole():
    made = filled(3, max_batch_size=20, max_enqueued_batches=2, **SPLIT)
    text = (
        f"{FULL}; task size is 6 but scheduling capacity is only 5 (num_enqueued_batches=1, "
        "max_enqueued_batches=2, open_batch_size=3, max_execution_batch_size=4)"
    )
    assert refusal(made, 6) == (Code.UNAVAILABLE, text)
    assert take_all(made) == [[3]]
    made.add(task(8), 0.0)
    assert take_all(made) == [[4], [4]]


@given(
    st.lists(st.integers(0, 9), max_size=20), st.integers(1, 5), st.integers(1, 4), st.booleans()
)
def test_no_row_is_lost_or_doubled_and_no_limit_exceeded(wanted, limit, most, split):
    made = queue(
        max_batch_size=9 if split else limit,
        max_enqueued_batches=most,
        enable_large_batch_splitting=split,
        max_execution_batch_size=limit,
    )
    taken = 0
    for size in wanted:
        try:
            made.add(task(size), 0.0)
            taken += size
        except StatusError as error:
            assert error.code in (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
    batches = take_all(made)
    assert sum(map(sum, batches)) == taken
    assert all(sum(batch) <= limit for batch in batches)
    assert len(batches) <= most
    assert made.idle


# Closing, and taking turns.


def test_a_closed_queue_does_not_wait_for_its_timeout_and_takes_no_more():
    made = filled(1, max_batch_size=4, batch_timeout_micros=10**9)
    made.close()
    assert refusal(made, 1) == (Code.CANCELLED, "Session has been closed.")
    assert take_all(made, 0.0) == [[1]]


def test_queues_take_turns_and_idle_ones_none():
    rotation, busy, calm, idle = RoundRobin(), *(queue(max_batch_size=1) for _ in range(3))
    for owner in (busy, busy, busy, calm):
        rotation.add(owner, task(1), 0.0)
    order = [rotation.take(0.0)[0] for _ in range(4)]
    assert order == [busy, calm, busy, busy]
    assert rotation.take(0.0) is None
    assert idle.idle


def test_a_queue_that_waits_lets_others_go_first():
    rotation, slow, fast = RoundRobin(), queue(batch_timeout_micros=MILLISECOND), queue()
    assert rotation.add(slow, task(1), 0.0)
    assert not rotation.add(slow, task(1), 0.0)
    assert rotation.due() == pytest.approx(0.001)
    assert rotation.add(fast, task(1), 0.0005)
    assert rotation.take(0.0005)[0] is fast
    assert rotation.take(0.0009) is None
    assert rotation.take(0.0011)[0] is slow
    assert rotation.due() is None


def test_a_queue_is_idle_when_what_was_taken_is_done_too():
    rotation, made = RoundRobin(), queue()
    rotation.add(made, task(1), 0.0)
    assert not made.idle
    rotation.take(0.0)
    assert not made.idle
    made.running -= 1
    assert made.idle
