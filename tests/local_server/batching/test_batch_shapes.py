"""Merged inputs and split outputs: padding, joining, and errors."""

import tracemalloc

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchingParameters
from cloudserve.local_server.batching.execution import execute
from cloudserve.local_server.batching.padding import (
    PaddingError,
    batch_size,
    merge,
    pad_lengths,
    padding_rows,
)
from cloudserve.local_server.batching.requests import Task, ThreadCompletion
from cloudserve.local_server.batching.splitting import split_outputs, split_task
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

DIFFERENT = (
    "Tensors with name 'x:0' from different tasks have different shapes and padding is turned "
    "off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same name "
    "have equal dimensions starting with the first dim."
)


def task(values, dtype=np.float32, name="x:0"):
    array = np.array(values, dtype)
    return Task({name: array}, len(array), ThreadCompletion())


def merged(*tasks, **parameters):
    inputs, padding = merge(tasks, BatchingParameters(**parameters))
    return inputs["x:0"].tolist(), padding


def refusal(function, *args, **kwargs):
    with pytest.raises(StatusError) as caught:
        function(*args, **kwargs)
    return caught.value.code, caught.value.message


# The size of a request.


def test_the_size_is_that_of_the_first_dimension():
    assert batch_size([np.zeros((3, 2)), np.zeros(3), np.zeros((3, 1, 1))]) == 3
    assert batch_size([np.zeros((0, 2))]) == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "Batching Run() must have at least one input tensor"),
        ([np.zeros(())], "Batching Run() input tensors must have at least one dimension"),
        (
            [np.zeros(1), np.zeros(())],
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            [np.zeros((2, 3)), np.zeros((3, 2))],
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_inputs_that_cannot_be_batched_are_refused(arrays, message):
    assert refusal(batch_size, arrays) == (Code.INVALID_ARGUMENT, message)


# Rows.


@pytest.mark.parametrize(
    ("size", "allowed", "padding"),
    [(3, (), 0), (1, (2, 4, 8), 1), (2, (2, 4, 8), 0), (5, (2, 4, 8), 3), (8, (2, 4, 8), 0)],
)
def test_a_batch_is_padded_to_the_next_allowed_size(size, allowed, padding):
    assert padding_rows(size, allowed) == padding


def test_inputs_are_concatenated_in_order():
    assert merged(task([[1, 2]]), task([[3, 4], [5, 6]])) == ([[1, 2], [3, 4], [5, 6]], 0)


def test_a_batch_of_one_task_is_its_own_arrays():
    one = task([[1, 2]])
    assert merge([one], BatchingParameters())[0]["x:0"] is one.inputs["x:0"]


def test_padding_repeats_the_first_row_of_the_last_task():
    allowed = {"max_batch_size": 8, "allowed_batch_sizes": (8,)}
    assert merged(task([[1]]), task([[2], [3]]), **allowed) == (
        [[1], [2], [3], [2], [2], [2], [2], [2]],
        5,
    )


def test_padding_repeats_a_row_of_the_last_task_that_has_one():
    allowed = {"max_batch_size": 3, "allowed_batch_sizes": (3,)}
    assert merged(task([[1]]), task(np.zeros((0, 1))), **allowed) == ([[1], [1], [1]], 2)
    assert merged(task(np.zeros((0, 1))), **allowed) == ([], 0)


def test_every_input_is_padded_with_its_own_row():
    two = Task({"x:0": np.array([[7]]), "s:0": np.array([b"a"], object)}, 1, ThreadCompletion())
    inputs, padding = merge([two], BatchingParameters(max_batch_size=3, allowed_batch_sizes=(3,)))
    assert padding == 2
    assert {n: a.tolist() for n, a in inputs.items()} == {"x:0": [[7]] * 3, "s:0": [b"a"] * 3}


@pytest.mark.parametrize(
    ("first", "second"), [([[1, 2]], [[1, 2, 3]]), ([[1, 2]], [1]), ([[[1]]], [[1]])]
)
def test_different_shapes_are_refused_for_the_whole_batch(first, second):
    parameters = BatchingParameters()
    assert refusal(merge, [task(first), task(second)], parameters) == (
        Code.FAILED_PRECONDITION,
        DIFFERENT,
    )


# Lengths.


@pytest.mark.parametrize(
    ("values", "padded"),
    [
        ([[[1, 2]], [[3, 4, 5]]], [[[1, 2, 1]], [[3, 4, 5]]]),
        ([[[5, 6], [7, 8]], [[9, 9, 9]]], [[[5, 6, 5], [7, 8, 5]], [[9, 9, 9]]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        (
            [[[[1, 2], [3, 4]]], [[[5, 5, 5]]]],
            [[[[1, 2, 1], [3, 4, 1]]], [[[5, 5, 5], [5, 5, 5]]]],
        ),
    ],
)
def test_lengths_are_padded_at_the_end_with_each_tensors_own_first_element(values, padded):
    arrays = pad_lengths("x:0", [np.array(value) for value in values])
    assert [array.tolist() for array in arrays] == padded


def test_strings_are_padded_with_strings():
    arrays = [np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)]
    assert pad_lengths("x:0", arrays)[1].tolist() == [[b"c", b"c"]]


def test_a_tensor_without_rows_takes_the_others_lengths():
    arrays = pad_lengths("x:0", [np.zeros((0, 2)), np.zeros((1, 3))])
    assert [array.shape for array in arrays] == [(0, 3), (1, 3)]


@pytest.mark.parametrize(
    ("shapes", "code", "message"),
    [
        (
            [(1, 0), (1, 2)],
            Code.INVALID_ARGUMENT,
            "Got empty tensor in batch of non-empty tensors.",
        ),
        (
            [(1,) * 7, (1,) * 7],
            Code.INVALID_ARGUMENT,
            "Only tensors with rank from 1 to 6 can be padded.",
        ),
        (
            [(1, 2), (1, 2, 3)],
            Code.FAILED_PRECONDITION,
            (
                "Tensors with name 'x:0' from different tasks have different ranks, which padding "
                "cannot make equal."
            ),
        ),
    ],
)
def test_lengths_that_cannot_be_padded_are_reported(shapes, code, message):
    arrays = [np.zeros(shape) for shape in shapes]
    assert refusal(pad_lengths, "x:0", arrays) == (code, message)


def test_lengths_and_rows_are_padded_together():
    parameters = {"max_batch_size": 4, "allowed_batch_sizes": (4,)}
    assert merged(
        task([[1, 2, 3]]), task([[4, 5]]), pad_variable_length_inputs=True, **parameters
    ) == ([[1, 2, 3], [4, 5, 4], [4, 5, 4], [4, 5, 4]], 2)


# Outputs.


def test_each_task_gets_its_own_rows_and_none_of_the_padding():
    outputs = {"y:0": np.arange(8), "z:0": np.arange(16).reshape(8, 2)}
    parts = split_outputs(outputs, [1, 0, 3], 4)
    assert [part["y:0"].tolist() for part in parts] == [[0], [], [1, 2, 3]]
    assert [part["z:0"].shape for part in parts] == [(1, 2), (0, 2), (3, 2)]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.zeros(()), "Batched output tensor has 0 dimensions"),
        *(
            (
                np.zeros((rows, 2)),
                (
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                    "dimension sizes of the input tensors"
                ),
            )
            for rows in (1, 2, 4)
        ),
    ],
)
def test_outputs_that_are_not_one_row_for_each_input_row_are_refused(output, message):
    assert refusal(split_outputs, {"y:0": output}, [1, 1], 1) == (
        Code.FAILED_PRECONDITION,
        message,
    )


# Large tasks.


def settle_pieces(pieces, outcomes, order):
    for index in order:
        pieces[index].completion.settle(outcomes[index])


@given(st.integers(0, 30), st.integers(0, 5), st.integers(1, 5), st.randoms())
def test_pieces_are_joined_in_their_order_whatever_order_they_are_done_in(
    size, room, limit, random
):
    whole = task(np.arange(size))
    pieces = split_task(whole, min(room, limit), limit)
    assert all(piece.size <= limit for piece in pieces)
    order = random.sample(range(len(pieces)), len(pieces))
    settle_pieces(pieces, [{"y:0": piece.inputs["x:0"] * 2} for piece in pieces], order)
    assert whole.completion.wait()["y:0"].tolist() == [2 * n for n in range(size)]


def test_the_first_error_among_the_pieces_is_the_tasks():
    whole = task(np.arange(6))
    pieces = split_task(whole, 0, 2)
    errors = [StatusError(Code.INTERNAL, text) for text in ("second", "third")]
    settle_pieces(pieces, [{"y:0": np.zeros(2)}, *errors], [2, 1, 0])
    assert refusal(whole.completion.wait) == (Code.INTERNAL, "second")


def test_pieces_whose_outputs_differ_in_length_cannot_be_joined():
    whole = task(np.arange(4))
    pieces = split_task(whole, 0, 2)
    settle_pieces(pieces, [{"y:0": np.zeros((2, 3))}, {"y:0": np.zeros((2, 4))}], [0, 1])
    assert refusal(whole.completion.wait) == (
        Code.FAILED_PRECONDITION,
        "Tensor concat operation failed",
    )


# What padding may add.


def arrays_task(**arrays):
    named = {f"{name}:0": array for name, array in arrays.items()}
    return Task(named, len(next(iter(arrays.values()))), ThreadCompletion())


def strings(shape, item):
    return np.full(shape, item, object)


TOO_LONG = [
    ([np.zeros((1, 20_000, 1), np.int8), np.zeros((1, 1, 20_000), np.int8)], {}),
    ([strings((1, 1), b"x" * 2**20), strings((1, 1000), b"")], {}),
    ([np.zeros((1, 2**20), np.int8)], {"allowed_batch_sizes": (512,), "max_batch_size": 512}),
    ([strings((1, 1), b"x" * 2**20)], {"allowed_batch_sizes": (512,), "max_batch_size": 512}),
]


@pytest.mark.parametrize(("arrays", "parameters"), TOO_LONG)
def test_padding_that_takes_too_much_memory_is_refused_before_it_is_made(arrays, parameters):
    chosen = BatchingParameters(pad_variable_length_inputs=True, **parameters)
    tracemalloc.start()
    try:
        with pytest.raises(PaddingError) as caught:
            merge([arrays_task(x=array) for array in arrays], chosen)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert peak < 2**20


def test_the_refusal_says_how_much_padding_would_add():
    tasks = [arrays_task(x=np.zeros((1, 2**14), np.int8)) for _ in range(2)]
    tasks.append(arrays_task(x=np.zeros((1, 2**29), np.int8)))
    code, text = refusal(merge, tasks, BatchingParameters(pad_variable_length_inputs=True))
    added = 2 * (2**29 - 2**14)
    assert code is Code.RESOURCE_EXHAUSTED
    assert text == (
        f"Padding a batch of 3 tasks would add {added} bytes; at most {2**28} may be added"
    )


def test_a_request_too_long_for_its_batch_fails_no_other_of_it():
    wide, tall = np.ones((1, 20_000, 1), np.int8), np.ones((1, 1, 20_000), np.int8)
    tasks = [arrays_task(x=wide), arrays_task(x=tall)]
    batches = []

    def run(tensors):
        batches.append(tensors["x:0"].shape)
        return {"y:0": tensors["x:0"].sum(axis=(1, 2))}

    parameters = BatchingParameters(pad_variable_length_inputs=True)
    execute(tasks, run, parameters, 0.0, lambda tasks, padding: None)
    assert batches == [wide.shape, tall.shape]
    assert [task.completion.wait()["y:0"].tolist() for task in tasks] == [[20_000], [20_000]]


def test_a_request_that_cannot_be_padded_alone_fails_alone():
    tasks = [arrays_task(x=np.zeros((1, 2**20), np.int8)), arrays_task(x=np.ones((1, 1), np.int8))]
    parameters = BatchingParameters(
        pad_variable_length_inputs=True, allowed_batch_sizes=(512,), max_batch_size=512
    )
    execute(tasks, lambda x: {"y:0": x["x:0"][:, 0]}, parameters, 0.0, lambda *_: None)
    with pytest.raises(PaddingError):
        tasks[0].completion.wait()
    assert tasks[1].completion.wait()["y:0"].tolist() == [1]
