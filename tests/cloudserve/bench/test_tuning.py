"""The choice of batching parameters from costs that a test makes up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.bench.tuning import (
    Curve,
    SizeCost,
    Trial,
    Tuning,
    allowed_sizes,
    batching_file,
    candidates,
    sagemaker_variables,
    server_flags,
    sizes_to_measure,
)
from cloudserve.bench.tuning_page import tuning_page


def curve(cost, threads=2, intra_op=1, sizes=(1, 2, 3, 4, 6, 8, 12, 16)):
    """Return the curve of a model whose call of `n` rows takes `cost(n)` milliseconds."""
    costs = (SizeCost(n, cost(n), cost(n), threads * n / cost(n) * 1000) for n in sizes)
    return Curve(threads, intra_op, tuple(costs))


def tuning(curves, **changes):
    (parameters, *_) = candidates(curves, 50)
    trial = Trial(100.0, 99.0, 5.0, 20.0, 0, met=True)
    fields = {"rate": 100.0, "notes": ("a < b",), "trials": (trial,), **changes}
    return Tuning("m", "serving_default", 50.0, tuple(curves), parameters, trial, trial, **fields)


def test_the_fastest_size_whose_wait_and_run_fit_the_objective_is_chosen():
    shared = curve(lambda rows: 4 + rows)
    assert candidates([shared], 1000)[0].max_batch_size == 16
    assert candidates([shared], 35)[0].max_batch_size == 8, "2 x 12 ms fit 0.8 of 35 ms"
    assert candidates([shared], 20)[0].max_batch_size == 4
    assert candidates([shared], 13)[0].max_batch_size == 1


def test_larger_batches_that_are_not_faster_are_not_chosen():
    linear = curve(lambda rows: 3.0 * rows)
    assert [one.max_batch_size for one in candidates([linear], 1000)] == [1]


def test_without_a_fitting_size_the_shortest_run_is_chosen():
    slow = curve(lambda rows: 100.0 * rows)
    (chosen,) = candidates([slow], 10)
    assert (chosen.max_batch_size, chosen.batch_timeout_micros) == (1, 0)
    assert chosen.max_enqueued_batches == 1


def test_the_faster_number_of_threads_is_chosen():
    one = curve(lambda rows: 2 + rows, threads=1, intra_op=2)
    two = curve(lambda rows: 3 + rows, threads=2, intra_op=1)
    (first, *_) = candidates([one, two], 100)
    assert (first.num_batch_threads, first.intra_op) == (2, 1)


@given(st.floats(0.01, 50), st.floats(0.001, 5), st.floats(0.1, 1000), st.integers(1, 64))
def test_every_choice_leaves_room_for_its_wait_queue_and_timeout(
    fixed, per_row, objective, threads
):
    shared = curve(lambda rows: fixed + per_row * rows, threads=threads)
    for chosen in candidates([shared], objective):
        run = fixed + per_row * chosen.max_batch_size
        if 2 * run <= 0.8 * objective:
            assert 2 * run + chosen.batch_timeout_micros / 1000 <= objective
            assert chosen.max_enqueued_batches * run / threads <= objective
        assert chosen.max_enqueued_batches >= 1
        assert chosen.batch_timeout_micros >= 0


def test_sizes_are_padded_to_if_those_between_cost_more():
    by_power = {1: 1.0, 2: 1.0, 3: 9.0, 4: 2.0, 6: 9.0, 8: 3.0}
    assert allowed_sizes([SizeCost(n, ms, ms, 1) for n, ms in by_power.items()], 8) == (1, 2, 4, 8)
    linear = [SizeCost(n, float(n), float(n), 1) for n in by_power]
    assert allowed_sizes(linear, 8) == ()


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, [1]), (2, [1, 2]), (8, [1, 2, 3, 4, 6, 8]), (10, [1, 2, 3, 4, 6, 8])],
)
def test_powers_of_two_and_sizes_between_them_are_measured(most, sizes):
    assert sizes_to_measure(most) == sizes


def test_the_files_have_the_parameters():
    (chosen, *_) = candidates([curve(lambda rows: 4 + rows)], 50)
    assert batching_file(chosen) == (
        "max_batch_size { value: 16 }\n"
        "batch_timeout_micros { value: 2500 }\n"
        "num_batch_threads { value: 2 }\n"
        "max_enqueued_batches { value: 3 }\n"
    )
    assert sagemaker_variables(chosen) == {
        "SAGEMAKER_TFS_ENABLE_BATCHING": "true",
        "SAGEMAKER_TFS_MAX_BATCH_SIZE": "16",
        "SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS": "2500",
        "SAGEMAKER_TFS_NUM_BATCH_THREADS": "2",
        "SAGEMAKER_TFS_MAX_ENQUEUED_BATCHES": "3",
        "SAGEMAKER_TFS_INTRA_OP_PARALLELISM": "1",
    }
    assert server_flags(chosen, "b.config") == [
        "--enable_batching",
        "--batching_parameters_file=b.config",
        "--tensorflow_intra_op_parallelism=1",
    ]


def test_without_batching_the_files_turn_it_off():
    (chosen, *_) = candidates([curve(lambda rows: 4 + rows)], 50)
    off = chosen.unbatched()
    assert sagemaker_variables(off)["SAGEMAKER_TFS_ENABLE_BATCHING"] == "false"
    assert server_flags(off, "b.config") == ["--tensorflow_intra_op_parallelism=1"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "100 requests per second met it"),
        ({"rate": None}, "no tried rate met the objective"),
        ({"trials": ()}, "Verified rates: no data"),
    ],
)
def test_the_page_shows_the_curves_and_the_verdict(changes, text):
    page = tuning_page(tuning([curve(lambda rows: 4 + rows)], **changes))
    assert text in page
    assert "<li>a &lt; b</li>" in page
    assert page.count("<svg") == (2 if "trials" in changes else 3)
    assert "<th>max_batch_size</th><td>16</td>" in page
