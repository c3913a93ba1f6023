"""Waiting asks less and less often, survives hiccups, and ends at a deadline."""

from __future__ import annotations

import itertools

import pytest
from cloudserve.adapters.polling import Poller

from cloudserve.errors import RemoteError
from cloudserve.storage.events import SILENT, Reporter, Waited, Waiting


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def poller(self, timeout):
        return Poller(timeout, clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def time():
    return Time()


def until(poller, probe, lines=None):
    reporter = SILENT if lines is None else Reporter(lines.append)
    return poller.until(probe, what="the thing", where="there", reporter=reporter)


def hiccup(*, retryable=True):
    return RemoteError("throttled", retryable=retryable)


def probe_of(*outcomes):
    """Return a probe that gives or raises these, then the last one for ever."""
    each = itertools.chain(outcomes, itertools.repeat(outcomes[-1]))

    def probe():
        outcome = next(each)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return probe


def test_a_finished_operation_is_not_polled_again(time):
    assert until(time.poller(10), probe_of("done")) == "done"
    assert time.slept == []


def test_pauses_grow_from_a_fifth_of_a_second_to_five(time):
    assert until(time.poller(1000), probe_of(*[None] * 12, "done")) == "done"
    assert time.slept[0] == 0.2
    assert time.slept == sorted(time.slept)
    assert time.slept[-1] == 5.0


def test_a_falsy_answer_is_an_answer(time):
    assert until(time.poller(10), probe_of(0)) == 0


def test_stops_at_the_deadline_and_says_that_the_operation_continues(time):
    with pytest.raises(RemoteError) as error:
        until(time.poller(30), probe_of(None))
    assert time.now <= 30
    assert error.value.message == "the thing is not done after 30 s; it continues on the platform"
    assert "run the same command again" in error.value.hint
    assert error.value.where == "there"


def test_errors_that_may_pass_are_reported_and_survived(time):
    lines = []
    assert until(time.poller(100), probe_of(hiccup(), hiccup(), None, "done"), lines) == "done"
    assert lines == ["throttled; asking again"] * 2


def test_the_fifth_error_in_a_row_ends_the_wait(time):
    with pytest.raises(RemoteError, match="throttled"):
        until(time.poller(1000), probe_of(hiccup()))
    assert len(time.slept) == 4


def test_an_answer_in_between_starts_the_count_again(time):
    outcomes = [*[hiccup()] * 4, None, *[hiccup()] * 4, "done"]
    assert until(time.poller(1000), probe_of(*outcomes)) == "done"


def test_a_final_error_ends_the_wait_at_once(time):
    with pytest.raises(RemoteError, match="throttled"):
        until(time.poller(1000), probe_of(hiccup(retryable=False)))
    assert time.slept == []


def test_a_long_wait_is_reported_every_ten_seconds(time):
    lines = []
    with pytest.raises(RemoteError):
        until(time.poller(45), probe_of(None), lines)
    seconds = [float(line.removeprefix("the thing is not done after ")[:-2]) for line in lines]
    assert seconds[0] >= 10
    assert all(10 <= later - sooner <= 15 for sooner, later in itertools.pairwise(seconds))
    assert len(seconds) >= 3


def test_the_lines_of_a_wait_have_the_state_that_the_platform_last_gave(time):
    lines = []
    with pytest.raises(RemoteError, match=r"is not done after 30 s \(Creating\); it continues"):
        time.poller(30).until(
            probe_of(None),
            what="the thing",
            where="there",
            reporter=Reporter(lines.append),
            state=lambda: "Creating",
        )
    assert lines
    assert all(line.endswith(" s (Creating)") for line in lines)


def test_a_short_wait_is_not_reported(time):
    lines = []
    until(time.poller(45), probe_of(None, None, "done"), lines)
    assert lines == []


def test_a_view_that_shows_waits_gets_each_state_and_the_end_but_no_lines(time):
    lines, events, states = [], [], iter(["Creating", *["Updating"] * 20])
    view = Reporter(lines.append, events.append, shows_waits=True).indented()
    outcome = time.poller(100).until(
        probe_of(*[None] * 12, "done"),
        what="it",
        where="there",
        reporter=view,
        state=lambda: next(states),
    )
    assert outcome == "done"
    assert events[:2] == [Waiting("it", 0.0, "Creating"), Waiting("it", 0.2, "Updating")]
    assert events[-1] == Waited()
    assert lines == []


def test_a_wait_that_fails_has_an_end_too(time):
    events = []
    with pytest.raises(ZeroDivisionError):
        time.poller(10).until(
            lambda: 1 // 0, what="it", where="there", reporter=Reporter(on_event=events.append)
        )
    assert events == [Waited()]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (3.0, "3 s"), (12.4, "12 s"), (36000.0, "36000 s")]
)
def test_the_seconds_of_a_wait_are_short(seconds, text):
    assert Waiting("it", seconds, "Creating").sentence == f"it is not done after {text} (Creating)"
