"""Observers of the data plane are called once for every request, failed ones included."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.observation import Observation, together, unobserved
from cloudserve.local_server.inference.requests import classify, multi_inference, predict, regress
from cloudserve.local_server.inference.types import Method, ModelSpec, Task
from cloudserve.local_server.models import Manager
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec
from tests.local_server.serving import answer
from tests.local_server.signature_defs import definitions

X = TensorSpec("inputs", "x:0", "string", None)
VALUE = TensorSpec("outputs", "y:0", "float32", None)
SCORES = TensorSpec("scores", "y:0", "float32", None)


class Lengths:
    """A model that says how long each string is; a string "fail" fails the run."""

    def __init__(self, path):
        self.signatures = self.all_signatures = {
            "serving_default": Signature("serving_default", "", (X,), (VALUE,)),
            "classes": Signature("classes", "", (X,), (SCORES,)),
        }
        self.definitions = definitions(self.signatures)

    def run(self, signature, inputs, wanted=()):
        if b"fail" in inputs["inputs"]:
            raise StatusError(Code.INTERNAL, "asked to fail")
        lengths = np.array([len(text) for text in inputs["inputs"]], np.float32)
        return {"scores": lengths[:, None]} if signature == "classes" else {"outputs": lengths}

    def close(self):
        pass


@pytest.fixture
def observed():
    return []


@pytest.fixture
def inference(observed):
    manager = Manager(Lengths)
    asyncio.run(manager.load("m", 3, Path("m")))
    with ThreadPoolExecutor(1) as executor:
        yield Inference(manager, executor, observer=observed.append)


def decode(*texts):
    return lambda _signature: {"inputs": np.array(texts, object)}


def test_a_prediction_is_reported_with_what_went_in_and_came_out(inference, observed):
    prediction = asyncio.run(answer(inference, predict(ModelSpec("m"), decode(b"ab", b"c"))))
    (observation,) = observed
    assert observation.method is Method.PREDICT
    assert observation.spec == ModelSpec("m")
    assert (observation.servable.name, observation.servable.version) == ("m", 3)
    assert observation.signature == "serving_default"
    assert observation.inputs["inputs"].tolist() == [b"ab", b"c"]
    assert observation.answer is prediction
    assert observation.code is Code.OK
    assert 0 < observation.run_seconds <= observation.seconds


def test_examples_and_tasks_are_reported_once_a_request(inference, observed):
    spec = ModelSpec("m", signature="classes")
    tasks = [
        Task(spec, "tensorflow/serving/classify"),
        Task(ModelSpec("m"), "tensorflow/serving/regress"),
    ]
    classified = asyncio.run(answer(inference, classify(spec, [b"ab"])))
    regressed = asyncio.run(answer(inference, regress(ModelSpec("m"), [b"ab"])))
    both = asyncio.run(answer(inference, multi_inference(tasks, [b"ab"])))
    assert [each.method for each in observed] == ["Classify", "Regress", "MultiInference"]
    assert [each.answer for each in observed] == [classified, regressed, both]
    assert [each.examples for each in observed] == [[b"ab"]] * 3
    assert observed[2].tasks is tasks


@pytest.mark.parametrize(
    ("spec", "inputs", "code", "version", "signature"),
    [
        (ModelSpec("n"), decode(b""), Code.NOT_FOUND, None, ""),
        (ModelSpec("m", signature="s"), decode(b""), Code.INVALID_ARGUMENT, 3, ""),
        (ModelSpec("m"), decode(b"fail"), Code.INTERNAL, 3, "serving_default"),
        (ModelSpec("m"), lambda _signature: 1 / 0, Code.INTERNAL, 3, ""),
    ],
    ids=["no model", "no signature", "the run fails", "a defect"],
)
def test_a_request_that_fails_is_reported_with_its_code(
    inference, observed, spec, inputs, code, version, signature
):
    with pytest.raises((StatusError, ZeroDivisionError)):
        asyncio.run(answer(inference, predict(spec, inputs)))
    (observation,) = observed
    assert observation.code is code
    assert observation.answer is None
    assert (observation.servable and observation.servable.version) == version
    assert observation.signature == signature


def test_a_request_that_is_abandoned_is_reported_as_cancelled(observed):
    observation = Observation(Method.PREDICT, ModelSpec("m"), observed.append)
    observation.finish(asyncio.CancelledError())
    assert observed[0].code is Code.CANCELLED


def test_an_observer_that_breaks_fails_no_request(caplog):
    manager = Manager(Lengths)
    asyncio.run(manager.load("m", 3, Path("m")))
    with ThreadPoolExecutor(1) as executor:
        inference = Inference(manager, executor, observer=lambda _observation: 1 / 0)
        asyncio.run(answer(inference, predict(ModelSpec("m"), decode(b"ab"))))
    assert "a request could not be observed" in caplog.text


def test_several_observers_are_called_in_order():
    calls = []
    observer = together(lambda each: calls.append((1, each)), lambda each: calls.append((2, each)))
    observer("done")
    assert calls == [(1, "done"), (2, "done")]
    assert together() is unobserved
