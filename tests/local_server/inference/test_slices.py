"""Work of the event loop in slices, and requests of moderate size, which it decodes so."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.inference import Inference, slices
from cloudserve.local_server.inference.slices import Slices
from cloudserve.local_server.inference.types import ModelSpec
from cloudserve.local_server.models import Manager
from cloudserve.local_server.protocols.tfserving import predict_json
from cloudserve.local_server.protocols.tfserving.predict_json import predict_job
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

X = TensorSpec("x", "x:0", "float32", None)
MODERATE, LARGE = 10_000, 200_000
NUMBERS = b'{"instances": [%b0]}' % (b"1," * MODERATE)
MANY_NUMBERS = b'{"instances": [%b0]}' % (b"1," * LARGE)
LISTS = b'{"signature_name": "serving_default", "instances": [%b[1, 2]]}' % (b"[3, 4]," * MODERATE)
OBJECTS = b'{"instances": [%b{"x": 0}]}' % (b'{"x": 1},' * MODERATE)
ROWS = b'{"instances": [%b{"x": [0]}]}' % (b'{"x": [1]},' * 2000)
LISTS_IN_ROW = b'{"instances": [{"x": [%b[0]]}]}' % (b"[1]," * MODERATE)
NAMES = b'{%b"instances": [1]}' % b"".join(b'"%d": 0,' % number for number in range(MODERATE))
NOT_FINITE = b'{"instances": [%bNaN]}' % (b"1," * MODERATE)
IRREGULAR = b'{"instances": [%b[1, 2]]}' % (b"[1]," * MODERATE)


def test_work_is_done_in_its_order_at_the_end_of_the_turn():
    done = []

    async def main():
        work = Slices()
        for name in "abc":
            work.add(asyncio.get_running_loop(), lambda name=name: done.append(name))
        assert not done
        await asyncio.sleep(0)

    asyncio.run(main())
    assert done == ["a", "b", "c"]


def test_others_have_their_turn_between_two_slices(monkeypatch):
    clock = iter(range(100))  # each look at it is a second later
    monkeypatch.setattr(slices, "perf_counter", lambda: next(clock))
    done = []

    async def main():
        loop, work = asyncio.get_running_loop(), Slices()
        work.add(loop, lambda: done.append("first"))
        work.add(loop, lambda: done.append("second"))
        loop.call_soon(done.append, "another client")
        for _turn in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert done == ["first", "another client", "second"]


def test_loops_one_after_the_other_have_work_of_their_own():
    work, done = Slices(), []

    async def main():
        work.add(asyncio.get_running_loop(), lambda: done.append(threading.current_thread()))
        await asyncio.sleep(0)

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(main())
        executor.submit(asyncio.run, main()).result()
    assert len(set(done)) == len("12")


class Echo:
    """A model that answers what it is given."""

    def __init__(self, path):
        self.signatures = self.all_signatures = {
            "serving_default": Signature("serving_default", "", (X,), (X,))
        }
        self.runs = 0

    def run(self, signature, inputs, wanted=()):
        self.runs += 1
        return dict(inputs)

    def close(self):
        pass


class Served:
    """A server of one model, which notes the threads that parse and the observations."""

    def __init__(self, executor, monkeypatch):
        self.manager, self.observed, self.parsers = Manager(Echo), [], []
        asyncio.run(self.manager.load("m", 1, Path("m")))
        self.inference = Inference(self.manager, executor, observer=self.observed.append)
        parse = predict_json.parse_request

        def parse_in_thread(*args):
            self.parsers.append(threading.current_thread())
            return parse(*args)

        monkeypatch.setattr(predict_json, "parse_request", parse_in_thread)

    @property
    def model(self):
        with self.manager.handle("m") as servable:
            return servable.model

    def ask(self, body):
        async def main():
            return await self.inference.serve(predict_job(ModelSpec("m"), body))

        return asyncio.run(main())


@pytest.fixture
def served(monkeypatch):
    with ThreadPoolExecutor(1) as executor:
        yield Served(executor, monkeypatch)


@pytest.mark.parametrize("body", [NUMBERS, LISTS], ids=["numbers", "lists of numbers"])
def test_the_loop_decodes_a_moderate_request_of_numbers(served, body):
    assert json.loads(served.ask(body))["predictions"] == json.loads(body)["instances"]
    assert not served.parsers


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (MANY_NUMBERS, 1),
        (OBJECTS, 1),
        (ROWS, [1]),
        (LISTS_IN_ROW, [[1]] * MODERATE + [[0]]),
        (NAMES, 1),
        (NOT_FINITE, 1),
    ],
    ids=["large", "objects", "rows", "lists in a row", "names", "NaN"],
)
def test_a_thread_decodes_what_takes_longer(served, body, first):
    assert json.loads(served.ask(body))["predictions"][0] == first
    (thread,) = served.parsers
    assert thread is not threading.current_thread()


def test_an_error_is_that_of_the_same_request_in_small(served):
    with pytest.raises(StatusError, match=r"Expecting tensor size: 1 but got: 2") as error:
        served.ask(IRREGULAR)
    assert error.value.code is Code.INVALID_ARGUMENT
    assert f"element: {MODERATE} of" in error.value.message


@pytest.mark.parametrize("body", [NUMBERS, OBJECTS], ids=["in the loop", "in a thread"])
def test_a_request_is_reported_once_and_gives_its_version_back(served, body):
    served.ask(body)
    (observation,) = served.observed
    assert np.array_equal(observation.inputs["x"], [1.0] * MODERATE + [0.0])
    asyncio.run(asyncio.wait_for(served.manager.unload("m", 1), 60))


def test_a_request_that_is_given_up_before_its_slice_is_not_run(served):
    async def main():
        request = served.inference.serve(predict_job(ModelSpec("m"), NUMBERS))
        request.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert served.model.runs == 0
    assert not served.observed
