"""Which sentences a measurement gets about its limits."""

import pytest

from cloudserve.bench.result import GeneratorUse, Latency
from cloudserve.bench.settings import Load
from cloudserve.bench.text import generator_notes, machine_notes, rate_notes, sample_notes
from cloudserve.errors import UserError

MILLISECOND = Latency(mean=1, min=1, p50=1, p75=1, p90=1, p95=1, p99=1, p999=1, max=1)
MINUTE = Latency(*[60_000] * 9)


@pytest.mark.parametrize(
    ("cpu", "lag", "latency", "expected"),
    [
        (0.5, None, MILLISECOND, []),
        (0.95, None, MILLISECOND, ["the load generator was the bottleneck: it used 95% of a core"]),
        (0.5, 0.4, MILLISECOND, []),
        (0.5, 5.0, MILLISECOND, ["the load generator was late: 1 % of the requests left 5.0 ms"]),
        (0.5, 5.0, MINUTE, []),
        (0.5, 5.0, None, ["the load generator was late: 1 % of the requests left 5.0 ms"]),
    ],
)
def test_a_busy_or_late_generator_is_reported(cpu, lag, latency, expected):
    notes = list(generator_notes(GeneratorUse(cpu, lag, lag), latency))
    assert [note[: len(text)] for note, text in zip(notes, expected, strict=True)] == expected


def test_a_rate_that_the_server_does_not_keep_is_reported():
    load = Load(rate=1000)
    assert list(rate_notes(load, 999, 0, 9990)) == []
    slow, waited = rate_notes(load, 600, 5000, 6000)
    assert slow == "the server answered 600 of 1,000 requests a second"
    assert waited.startswith("5,000 requests waited for a free connection")
    assert list(rate_notes(Load(), 600, 5000, 6000)) == []


def test_a_busy_machine_is_reported_for_a_local_server_only():
    assert len(list(machine_notes(0.01, is_local=True))) == 1
    assert list(machine_notes(0.01, is_local=False)) == []
    assert list(machine_notes(0.5, is_local=True)) == []
    assert list(machine_notes(None, is_local=True)) == []


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (0, []),
        (500, ["p99.9 rests on less than one of 500 answers"]),
        (3000, ["p99.9 rests on 3 of 3,000 answers"]),
        (10_000, []),
    ],
)
def test_a_percentile_that_rests_on_few_answers_is_reported(answered, expected):
    assert list(sample_notes(answered)) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"connections": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"timeout": 0},
        {"warm_up": -1},
        {"requests": 0},
    ],
)
def test_a_load_without_a_meaning_is_refused(options):
    with pytest.raises(UserError):
        Load(**options)
