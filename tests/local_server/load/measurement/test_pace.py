"""When requests are due, on a clock that a test moves."""

import itertools
import statistics

import pytest
from cloudserve.local_server.load.measurement.pace import SECOND, pace_of, phases_of

from cloudserve.bench.settings import Arrivals, Load


def pace(**options):
    load = Load(**options)
    phases = phases_of(load, 0)
    return pace_of(load, phases), phases


def taken(pace, now):
    """Return all intended times that a pace gives out at a time."""
    times = []
    while (due := pace.take(now)) is not None:
        times.append(due)
    return times


def test_an_open_loop_gives_each_request_its_own_time_however_late_it_is_taken():
    open_loop, _ = pace(rate=10, warm_up=0, seconds=1)
    assert taken(open_loop, 0) == [0]
    assert taken(open_loop, SECOND // 2) == [n * SECOND // 10 for n in range(1, 6)]


def test_an_open_loop_ends_with_its_last_due_request():
    open_loop, phases = pace(rate=10, warm_up=0, seconds=1)
    assert len(taken(open_loop, 5 * SECOND)) == 10
    assert open_loop.is_over(phases.end)
    assert open_loop.unsent(phases.end) == 0


def test_requests_that_are_too_late_are_counted_and_not_sent():
    open_loop, phases = pace(rate=10, warm_up=0, seconds=1, timeout=2)
    open_loop.take(0)
    assert open_loop.is_over(3 * SECOND)
    assert taken(open_loop, 3 * SECOND) == []
    assert open_loop.unsent(phases.end) == 9


def test_the_measurement_begins_on_time_whatever_the_warm_up_has_left():
    open_loop, _ = pace(rate=10, warm_up=1, seconds=1)
    assert taken(open_loop, 0) == [0]
    assert taken(open_loop, SECOND + 1) == [SECOND]


def test_a_number_of_requests_counts_from_the_end_of_the_warm_up():
    open_loop, _ = pace(rate=10, warm_up=1, requests=3)
    assert len(taken(open_loop, SECOND - 1)) == 10
    assert len(taken(open_loop, 9 * SECOND)) == 3
    closed_loop, _ = pace(warm_up=1, requests=3)
    assert [closed_loop.take(n) for n in range(50)] == list(range(50))
    assert len(taken(closed_loop, 2 * SECOND)) == 3


def test_a_closed_loop_gives_out_the_current_time_until_the_end():
    closed_loop, _ = pace(warm_up=0, seconds=1)
    assert closed_loop.take(SECOND - 1) == SECOND - 1
    assert closed_loop.take(SECOND) is None
    assert closed_loop.is_over(SECOND)


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process():
    open_loop, _ = pace(rate=1000, arrivals=Arrivals.POISSON, warm_up=0, seconds=20)
    times = taken(open_loop, 20 * SECOND)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) == pytest.approx(20_000, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)
