"""The test that allows a signature to run in batches: its rows do not affect each other."""

import numpy as np
import pytest
from cloudserve.local_server.batching.row_independence import are_independent, vary


def rows(*values, dtype=np.float32):
    return {"x:0": np.array(values, dtype)}


def is_independent(function, first, second):
    def run(tensors):
        return {"y:0": np.asarray(function(tensors["x:0"]))}

    return are_independent(run, first, run(first), second)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 2 + 1, True),
        (lambda x: x.sum(axis=1), True),
        (lambda x: np.where(x > 0, x, np.nan), True),
        (lambda x: x - x.mean(axis=0), False),
        (lambda x: x / np.abs(x).max(), False),
        (lambda x: x / len(x), False),
        (lambda x: np.cumsum(x, axis=0), False),
        (lambda x: x[::-1], False),
        (lambda x: x.sum(), False),
        (lambda x: x.sum(axis=0), False),
        (lambda x: np.concatenate([x, x]), False),
        (lambda x: x * np.float32(1 + 1e-6 * len(x)), True),
        (lambda x: x * np.float32(1 + 1e-2 * len(x)), False),
        (lambda x: x.argmax(axis=1), True),
        (lambda x: x.astype(np.float16) * np.float16(1 + 1e-3 * len(x)), True),
        (lambda x: np.array([b"%d" % len(row) for row in x], object), True),
        (lambda x: np.array([b"%d" % len(x)] * len(x), object), False),
    ],
)
def test_a_batch_must_have_the_rows_of_its_requests_alone(function, expected):
    first, second = rows([1.0, -2.0], [3.0, 5.0]), rows([0.5, 7.0])
    assert is_independent(function, first, second) is expected


def test_one_row_is_enough_to_tell():
    first = rows([1.0, 2.0])
    assert is_independent(np.tanh, first, vary(first))
    assert not is_independent(lambda x: x - x.mean(axis=0), first, vary(first))


def test_other_inputs_have_the_same_shape_and_type():
    floats, indices = vary(rows([1.0, 2.0])), vary(rows([3, 0], dtype=np.int32))
    assert (floats["x:0"].tolist(), floats["x:0"].dtype) == ([[0.75, 1.25]], np.float32)
    assert (indices["x:0"].tolist(), indices["x:0"].dtype) == ([[0, 0]], np.int32)


def test_for_some_inputs_there_are_no_others():
    assert vary(rows([0, 0], dtype=np.int64)) is None
    assert vary({"s:0": np.array([b"a"], object)}) is None
    assert vary(rows([0.5])) is None
