"""Which requests are answered on the event loop: those known to be quick, and no others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.inference import Inference, Way
from cloudserve.local_server.models import Manager
from cloudserve.local_server.nouns import ModelSpec
from cloudserve.local_server.pace import Pace, Paces
from cloudserve.local_server.protocols.predict_json import predict_json

from cloudserve.savedmodel.signature import Signature, TensorSpec

QUICK, SLOW = (1e-5, 1e-5), (1e-2, 1e-2)
WAITING = (1e-5, 1.0)
X = TensorSpec("x", "x:0", "float32", None)
BODY = b'{"instances": [1.0]}'


class Threads:
    """A model that notes which threads run it."""

    def __init__(self, path):
        default = Signature("serving_default", "", (X,), (X,))
        self.signatures = self.all_signatures = {"serving_default": default}
        self.seen = []

    def run(self, signature, inputs):
        self.seen.append(threading.current_thread())
        return dict(inputs)

    def close(self):
        pass


def test_nothing_is_quick_of_what_nothing_is_known():
    assert not Pace().is_quick(0)


def test_what_is_no_larger_than_a_quick_request_is_quick():
    pace = Pace()
    pace.learn(100, *QUICK)
    pace.learn(200, *SLOW)
    pace.learn(200, *WAITING)
    assert pace.is_quick(100)
    assert not pace.is_quick(101)


@pytest.mark.parametrize("surprise", [SLOW, WAITING])
def test_three_surprises_in_a_row_end_it_for_the_version(surprise):
    pace = Pace()
    pace.learn(100, *QUICK)
    for times in (surprise, surprise, QUICK, surprise, surprise):
        pace.check(*times)
        assert pace.is_quick(100)
    pace.check(*surprise)
    assert not pace.is_quick(100)
    pace.learn(100, *QUICK)
    pace.check(*QUICK)
    assert not pace.is_quick(100)


def test_each_version_has_its_own_pace():
    paces = Paces()
    paces.of("m", 1).learn(100, *QUICK)
    assert paces.of("m", 1).is_quick(100)
    assert not paces.of("m", 2).is_quick(100)


@pytest.fixture
def served():
    manager = Manager(Threads)
    asyncio.run(manager.load("m", 1, Path("m")))
    with ThreadPoolExecutor(1) as executor, manager.handle("m") as servable:
        yield Inference(manager, executor), servable.model


def ask(inference, body):
    return asyncio.run(predict_json(inference, ModelSpec("m"), body))


def test_a_quick_request_is_answered_on_the_loop_and_any_other_in_a_thread(served):
    inference, model = served
    answers = {ask(inference, BODY)}
    assert model.seen.pop() is not threading.current_thread()
    inference.paces.of("m", 1).learn(len(BODY), *QUICK)
    assert inference.way(ModelSpec("m"), len(BODY)) is Way.LOOP
    answers.add(ask(inference, BODY))
    assert model.seen.pop() is threading.current_thread()
    answers.add(ask(inference, BODY + b" "))
    assert model.seen.pop() is not threading.current_thread()
    assert answers == {b'{\n    "predictions": [1.0]\n}'}


def test_what_takes_the_exact_road_is_read_in_a_thread_whatever_the_pace(served):
    inference, model = served
    inference.paces.of("m", 1).learn(10**9, *QUICK)
    assert ask(inference, b'{"instances": [NaN]}') == b'{\n    "predictions": [NaN]\n}'
    assert model.seen.pop() is not threading.current_thread()


def test_large_requests_are_answered_in_a_thread_whatever_the_pace(served):
    inference, model = served
    inference.paces.of("m", 1).learn(10**9, *QUICK)
    ask(inference, b'{"instances": [%b1]}' % (b"1," * 10_000))
    assert model.seen.pop() is not threading.current_thread()
