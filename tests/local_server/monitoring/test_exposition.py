"""Prometheus' text format: TensorFlow Serving's lines, read by Prometheus' own parser."""

import math
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudserve.local_server.monitoring.exposition import expose
from cloudserve.local_server.monitoring.instruments import (
    Counter,
    Gauge,
    Histogram,
    exponential,
    format_bound,
)
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

LABELS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(-1e15, 1e15) | st.sampled_from([math.inf, -math.inf])


def parse(page):
    """Return the samples that Prometheus reads, by name and labels.

    The Python parser calls a counter's sample `NAME_total` whatever stands there.
    """
    return {
        (
            family.name if family.type == "counter" else sample.name,
            frozenset(sample.labels.items()),
        ): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_a_counter_stands_as_tensorflow_serving_writes_it():
    counter = Counter(":tensorflow:serving:request_count", ("model_name", "status"))
    counter.add(("half", "OK"))
    counter.add(("half", "OK"))
    counter.add(('a"b\\c', "NOT_FOUND"))
    assert expose([counter]).decode() == (
        "# TYPE :tensorflow:serving:request_count counter\n"
        ':tensorflow:serving:request_count{model_name="half",status="OK"} 2\n'
        r':tensorflow:serving:request_count{model_name="a\"b\\c",status="NOT_FOUND"} 1'
        "\n"
    )


def test_a_histogram_stands_as_tensorflow_serving_writes_it():
    histogram = Histogram(":h", ("model",), bounds=(10, 18, 32.4))
    for value in (3, 18, 18.5, 1000):
        histogram.observe(("m",), value)
    assert expose([histogram]).decode() == (
        "# TYPE :h histogram\n"
        ':h_bucket{model="m",le="10"} 1\n'
        ':h_bucket{model="m",le="18"} 2\n'
        ':h_bucket{model="m",le="32.4"} 3\n'
        ':h_bucket{model="m",le="+Inf"} 4\n'
        ':h_sum{model="m"} 1039.5\n'
        ':h_count{model="m"} 4\n'
    )


def test_metrics_come_in_the_order_of_their_names_with_a_type_even_when_nothing_is_counted():
    metrics = [Counter("b", ("l",)), Gauge("c", (), lambda: [((), 1.5)]), Counter("a")]
    assert expose(metrics).decode() == (
        "# TYPE a counter\na{} 0\n# TYPE b counter\n# TYPE c gauge\nc{} 1.5\n"
    )


def test_bounds_are_written_with_six_digits_as_in_cpp():
    written = [format_bound(bound) for bound in exponential(10, 1.8, 33)]
    assert written[:6] == ["10", "18", "32.4", "58.32", "104.976", "188.957"]
    assert written[-1] == "1.47476e+09"


@given(st.dictionaries(LABELS, st.integers(1, 10**15), max_size=5))
def test_any_label_is_read_back_by_prometheus(counts):
    counter = Counter(":a:b", ("label",))
    for label, count in counts.items():
        counter.add((label,), count)
    expected = {(":a:b", frozenset({("label", label)})): n for label, n in counts.items()}
    assert parse(expose([counter])) == expected


@given(st.lists(st.floats(-1e9, 1e9)))
def test_buckets_count_what_is_up_to_their_bound(values):
    bounds = (-5.0, 0.0, 10.0, 1e6)
    histogram = Histogram("h", bounds=bounds)
    for value in values:
        histogram.observe((), value)
    read = parse(expose([histogram]))
    for bound in bounds:
        key = ("h_bucket", frozenset({("le", format_bound(bound))}))
        assert read[key] == sum(bisect_left([bound], value) == 0 for value in values)
    assert read["h_bucket", frozenset({("le", "+Inf")})] == read["h_count", frozenset()]
    assert read["h_count", frozenset()] == len(values)
    assert read["h_sum", frozenset()] == pytest.approx(sum(values), abs=1e-3)


@given(NUMBERS)
def test_any_number_is_read_back_as_it_was(number):
    gauge = Gauge("g", (), lambda: [((), number)])
    assert parse(expose([gauge])) == {("g", frozenset()): number}


def test_a_label_that_is_not_text_is_still_reported():
    counter = Counter("c", ("model",))
    counter.add(("\udcff",))
    assert expose([counter]) == b'# TYPE c counter\nc{model="?"} 1\n'


def test_made_up_labels_cost_bounded_memory_and_every_count_is_kept():
    counter = Counter("c", ("model", "status"), most_series=3)
    histogram = Histogram("h", ("model",), bounds=(1,), most_series=3)
    for number in range(1000):
        counter.add((f"m{number}", "OK"))
        histogram.observe((f"m{number}",), number)
    read = parse(expose([counter, histogram]))
    counted = {name: value for name, value in read.items() if name[0] == "c"}
    assert len(counted) == 4
    assert sum(counted.values()) == 1000
    assert read["c", frozenset({("model", "other"), ("status", "other")})] == 997
    assert read["h_count", frozenset({("model", "other")})] == 997


def test_threads_lose_no_count():
    counter, histogram = Counter("c"), Histogram("h", bounds=(1,))

    def work(_index):
        for _ in range(2000):
            counter.add()
            histogram.observe((), 1)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    read = parse(expose([counter, histogram]))
    assert read["c", frozenset()] == read["h_count", frozenset()] == 8000
