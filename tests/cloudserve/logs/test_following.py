"""Following a log: each line once, late ones too."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloudserve.logs.contract import LogLine, LogQuery
from cloudserve.logs.reading import follow

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
MINUTES = st.lists(st.integers(0, 1200), max_size=20)


def line(second):
    return LogLine(START + timedelta(seconds=second), "v1/i-1", str(second), str(second))


class Log:
    """A log service that takes in some lines before each reading."""

    def __init__(self, *batches):
        self._batches, self._lines, self.queries = list(batches), [], []

    def read(self, query):
        self.queries.append(query)
        if self._batches:
            self._lines += self._batches.pop(0)
        found = [one for one in self._lines if one.time >= query.since]
        return sorted(found, key=lambda one: one.time)

    def wait(self):
        return bool(self._batches)


def followed(log, **more):
    return [one.text for one in follow(log.read, LogQuery(START, **more), log.wait)]


def test_new_lines_come_as_they_appear():
    log = Log([line(1), line(2)], [], [line(3)])
    assert followed(log) == ["1", "2", "3"]


def test_a_line_that_appears_late_is_not_missed():
    log = Log([line(40)], [line(15)], [line(41)])
    assert followed(log) == ["40", "15", "41"]


def test_only_the_latest_part_is_read_again():
    log = Log([line(600)], [line(601)])
    followed(log, contains="x")
    assert log.queries[1] == LogQuery(START + timedelta(seconds=570), "x")


def test_lines_before_the_tail_do_not_come_later():
    log = Log([line(1), line(2), line(3)], [line(4)])
    assert [one.text for one in follow(log.read, LogQuery(START), log.wait, 1)] == ["3", "4"]


@given(st.lists(MINUTES, min_size=1, max_size=6))
def test_lines_in_order_come_once_each(batches):
    numbers = iter(range(10**6))
    seconds = iter(sorted(second for batch in batches for second in batch))
    log = Log(
        *(
            [LogLine(START + timedelta(seconds=next(seconds)), "", "", str(next(numbers)))
             for _ in batch]
            for batch in batches
        )
    )  # fmt: skip
    ids = [one.id for one in follow(log.read, LogQuery(START), log.wait)]
    assert ids == [str(i) for i in range(sum(map(len, batches)))]
