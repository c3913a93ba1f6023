"""Only requests that are known to be fast run on the event loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.inference import Inference, serving
from cloudserve.local_server.inference.latency import LatencyEstimate, LatencyEstimates
from cloudserve.local_server.inference.types import ModelSpec
from cloudserve.local_server.models import Manager
from cloudserve.local_server.protocols.tfserving.predict_json import predict_json
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

QUICK, SLOW = (1e-5, 1e-5), (1e-2, 1e-2)
WAITING = (1e-5, 1e-2)
SLOW_ON_LOOP, QUICK_ON_LOOP, ENDLESS = 2e-3, 1e-5, 1.0
X = TensorSpec("x", "x:0", "float32", None)
BODY = b'{"instances": [1.0]}'


class Threads:
    """A model that notes which threads run it."""

    def __init__(self, path):
        names = ("serving_default", "other")
        self.signatures = self.all_signatures = {n: Signature(n, "", (X,), (X,)) for n in names}
        self.steady = frozenset(names)
        self.threads = []

    def run(self, signature, inputs, wanted=()):
        self.threads.append(threading.current_thread())
        if inputs["x"][0] < 0:
            raise StatusError(Code.INVALID_ARGUMENT, "it is less than 0")
        return dict(inputs)

    def close(self):
        pass


def test_nothing_is_quick_of_what_nothing_is_known():
    assert not LatencyEstimate().is_quick(0)


def test_a_request_no_larger_than_a_quick_one_is_quick():
    latency = LatencyEstimate()
    latency.record_threaded(100, *QUICK)
    latency.record_threaded(200, *SLOW)
    latency.record_threaded(200, *WAITING)
    assert latency.is_quick(100)
    assert not latency.is_quick(101)


def test_three_surprises_in_a_row_end_it():
    latency = LatencyEstimate()
    latency.record_threaded(100, *QUICK)
    for seconds in (SLOW_ON_LOOP, SLOW_ON_LOOP, QUICK_ON_LOOP, SLOW_ON_LOOP, SLOW_ON_LOOP):
        latency.record_on_loop(seconds)
        assert latency.is_quick(100)
    latency.record_on_loop(SLOW_ON_LOOP)
    assert not latency.is_quick(100)
    latency.record_threaded(100, *QUICK)
    latency.record_on_loop(QUICK_ON_LOOP)
    assert not latency.is_quick(100)


def test_many_quick_ones_in_threads_bring_it_back_with_others_that_waited_between():
    latency = LatencyEstimate()
    latency.record_threaded(100, *QUICK)
    latency.record_on_loop(ENDLESS)
    for times in [*[QUICK] * 99, SLOW, *[QUICK] * 99, WAITING]:
        latency.record_threaded(100, *times)
        assert not latency.is_quick(100)
    latency.record_threaded(100, *QUICK)
    assert latency.is_quick(100)


def test_a_request_that_held_up_the_loop_sends_later_ones_to_threads():
    latency = LatencyEstimate()
    latency.record_threaded(100, *QUICK)
    latency.record_on_loop(ENDLESS)
    latency.record_on_loop(QUICK_ON_LOOP)
    assert not latency.is_quick(100)


def test_each_signature_of_each_version_has_its_own_pace():
    latencies = LatencyEstimates()
    latencies.of("m", 1, "a", "json").record_threaded(100, *QUICK)
    assert latencies.of("m", 1, "a", "json").is_quick(100)
    assert not latencies.of("m", 2, "a", "json").is_quick(100)
    assert not latencies.of("m", 1, "b", "json").is_quick(100)
    assert not latencies.of("m", 1, "a", "tensors").is_quick(100)


@pytest.fixture
def served():
    manager = Manager(Threads)
    asyncio.run(manager.load("m", 1, Path("m")))
    with ThreadPoolExecutor(1) as executor, manager.handle("m") as servable:
        yield Inference(manager, executor), servable.model


def latency(inference, signature="serving_default"):
    return inference.latencies.of("m", 1, signature, "json")


def ask(inference, body):
    return asyncio.run(predict_json(inference, ModelSpec("m"), body))


def test_a_quick_request_is_answered_on_the_loop_and_any_other_in_a_thread(served):
    inference, model = served
    answers = {ask(inference, BODY)}
    assert model.threads.pop() is not threading.current_thread()
    latency(inference).record_threaded(len(BODY), *QUICK)
    answers.add(ask(inference, BODY))
    assert model.threads.pop() is threading.current_thread()
    answers.add(ask(inference, BODY + b" "))
    assert model.threads.pop() is not threading.current_thread()
    assert answers == {b'{\n    "predictions": [1.0]\n}'}


def test_a_signature_of_which_nothing_is_known_is_run_in_a_thread_whatever_the_others(served):
    inference, model = served
    latency(inference).record_threaded(10**9, *QUICK)
    ask(inference, b'{"signature_name": "other", "instances": [1.0]}')
    assert model.threads.pop() is not threading.current_thread()


def test_signatures_that_do_not_exist_are_not_kept(served):
    inference, model = served
    with pytest.raises(StatusError, match="not found in signature def"):
        ask(inference, b'{"signature_name": "none", "instances": [1.0]}')
    assert not model.threads
    assert not inference.latencies._latencies


def test_the_time_of_a_request_that_failed_on_the_loop_counts(served, monkeypatch):
    inference, model = served
    latency(inference).record_threaded(10**9, *QUICK)
    clock = iter((0.0, ENDLESS))
    monkeypatch.setattr(serving, "perf_counter", lambda: next(clock))
    with pytest.raises(StatusError, match="less than 0"):
        ask(inference, b'{"instances": [-1.0]}')
    assert model.threads.pop() is threading.current_thread()
    assert not latency(inference).is_quick(0)


def test_a_body_for_the_exact_parser_is_read_in_a_thread_at_any_latency(served):
    inference, model = served
    latency(inference).record_threaded(10**9, *QUICK)
    assert ask(inference, b'{"instances": [NaN]}') == b'{\n    "predictions": [NaN]\n}'
    assert model.threads.pop() is not threading.current_thread()


def test_large_requests_are_answered_in_a_thread_whatever_the_latency(served):
    inference, model = served
    latency(inference).record_threaded(10**9, *QUICK)
    ask(inference, b'{"instances": [%b1]}' % (b"1," * 200_000))
    assert model.threads.pop() is not threading.current_thread()


def test_a_signature_whose_time_may_hang_on_values_stays_in_threads():
    manager = Manager(Threads)
    asyncio.run(manager.load("m", 1, Path("m")))
    with manager.handle("m") as servable:
        servable.model.steady = frozenset({"other"})
    with ThreadPoolExecutor(1) as executor:
        inference = Inference(manager, executor)
        for name in ("serving_default", "other"):
            latency(inference, name).record_threaded(100, *QUICK)
        ask(inference, BODY)
        assert servable.model.threads.pop() is not threading.current_thread()
        ask(inference, b'{"signature_name": "other", "instances": [1.0]}')
        assert servable.model.threads.pop() is threading.current_thread()
