"""The measured costs of runs: where a batch runs, and how large it is."""

import pytest
from cloudserve.local_server.batching.costs import RunCosts
from hypothesis import given
from hypothesis import strategies as st


def measured(**per_row):
    """Give costs that were measured often enough at each size (`of_8=1e-5` seconds per row)."""
    costs = RunCosts()
    for name, seconds in per_row.items():
        rows = int(name.removeprefix("of_"))
        for _ in range(3):
            costs.record(rows, seconds * rows)
    return costs


def test_nothing_is_known_of_sizes_that_were_not_measured():
    costs = measured(of_4=1e-5)
    assert costs.seconds(4) == pytest.approx(4e-5)
    assert costs.seconds(3) == pytest.approx(3e-5)
    assert [costs.seconds(rows) for rows in (1, 2, 5)] == [None] * 3


def test_a_larger_run_is_expected_to_cost_as_much_per_row_as_the_cheapest_smaller_one():
    costs = measured(of_2=2e-5, of_4=1e-5, of_8=9e-5)
    assert costs.seconds_if_alike(1) is None
    assert [costs.seconds_if_alike(rows) for rows in (2, 4, 8, 64)] == pytest.approx(
        [4e-5, 4e-5, 8e-5, 64e-5]
    )


def test_a_faster_run_counts_at_once_and_slower_ones_gradually():
    costs = measured(of_1=1e-4)
    costs.record(1, 1e-5)
    assert costs.seconds(1) == pytest.approx(1e-5)
    costs.record(1, 1e-4)
    assert costs.seconds(1) == pytest.approx(1.18e-5)


def test_a_run_that_is_far_slower_counts_at_once():
    costs = measured(of_1=1e-4)
    costs.record(1, 0.5)
    assert costs.seconds(1) == pytest.approx(0.5)
    costs.record(1, 1e-4)
    assert costs.seconds(1) == pytest.approx(1e-4)


def test_a_run_that_is_far_slower_and_still_short_counts_gradually():
    costs = measured(of_1=1e-5)
    costs.record(1, 1e-3)
    assert costs.seconds(1) == pytest.approx(1e-5 + 0.02 * 99e-5)


def test_a_larger_run_pays_as_well_because_each_run_costs_something():
    costs = measured(of_32=13.7e-6, of_64=13.1e-6)
    assert costs.best(32, 64) == 64


def test_sizes_are_tried_in_increasing_order_whatever_waits():
    costs, tried = RunCosts(), []
    for _ in range(12):
        size = costs.best(1, 6)
        tried.append(size)
        costs.record(size, 1e-3)
    assert tried == [1, 1, 1, 2, 2, 2, 4, 4, 4, 6, 6, 6]


def test_the_size_with_the_least_cost_per_row_is_chosen_and_no_larger_one_that_does_not_pay():
    costs = measured(of_1=1e-3, of_2=6e-4, of_4=5e-4, of_8=4.9e-4, of_16=7e-4)
    assert costs.best(1, 16) == 4
    assert costs.best(1, 3) == 3
    assert costs.best(1, 1) == 1


def test_the_rows_that_wait_are_divided_evenly():
    costs = measured(of_1=1e-3, of_2=6e-4, of_4=5e-4, of_8=7e-4, of_16=7e-4)
    assert [costs.best(1, rows) for rows in (4, 5, 6, 7, 9, 13)] == [4, 5, 3, 4, 5, 5]
    assert [costs.best(7, rows) for rows in (7, 9, 16)] == [7, 9, 8]


def test_a_model_that_gains_nothing_from_batches_runs_one_by_one():
    costs = measured(of_1=1e-2, of_2=1.2e-2)
    assert [costs.best(1, 2) for _ in range(31)] == [1] * 31


def test_the_next_larger_size_is_tried_again_now_and_then():
    costs = measured(of_1=1e-2, of_2=1.2e-2)
    sizes = [costs.best(1, 2) for _ in range(64)]
    assert (sizes.count(1), sizes.count(2)) == (62, 2)


@given(
    st.lists(st.tuples(st.integers(1, 300), st.floats(1e-6, 1.0)), max_size=40),
    st.integers(1, 200),
    st.integers(0, 500),
)
def test_at_least_the_first_request_is_taken_and_no_more_than_waits(runs, least, more):
    costs = RunCosts()
    for rows, seconds in runs:
        costs.record(rows, seconds)
    assert least <= costs.best(least, least + more) <= least + more
