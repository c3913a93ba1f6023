"""Requests of one turn, answered together: the answers, errors and metrics of each by itself."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloudserve.local_server.batching import BatchedModel
from cloudserve.local_server.batching.costs import RunCosts
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.codecs.together import SmallRequests
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.types import ModelSpec
from cloudserve.local_server.models import Manager
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from cloudserve.local_server.protocols.tfserving.predict_json import predict_json
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

X, Y = (TensorSpec(alias, f"{alias}:0", "float32", (None,)) for alias in "xy")
SPEC = ModelSpec("m")
NAMES = ("serving_default", "counter")


class Doubler:
    """Doubles numbers; refuses rows of -1, and defects at rows of -2."""

    def __init__(self, path=None):
        self.signatures = self.all_signatures = {
            name: Signature(name, "tensorflow/serving/predict", (X,), (Y,)) for name in NAMES
        }
        self.steady, self.stateless = frozenset(NAMES), frozenset({"serving_default"})
        self.calls = []

    def run(self, signature, inputs, wanted=()):
        rows = inputs["x"].tolist()
        self.calls.append(rows)
        if -1 in rows:
            raise StatusError(Code.INVALID_ARGUMENT, f"-1 is refused among {len(rows)}")
        if -2 in rows:
            raise AttributeError("a defect")
        return {"y": inputs["x"] * 2}

    def close(self):
        pass


class Served:
    """A data plane with one model, batched or not, and what its observers were told."""

    def __init__(self, executor, *, batched=True, **options):
        self.model = Doubler()
        self.metrics = ServingMetrics()
        scheduler = Scheduler(1, "batch")

        def load(path):
            return BatchedModel(self.model, None, scheduler, self.metrics.batches)

        manager = Manager(load if batched else lambda path: self.model)
        asyncio.run(manager.load("m", 1, Path("m")))
        self.observed = []
        self.form = SmallRequests(1000)
        self.manager = manager
        self.inference = Inference(manager, executor, observer=self.observe, **options)

    def observe(self, observation):
        self.observed.append(observation)
        self.metrics.observe(observation)

    def learn(self):
        """Let the general path find out that requests may run together, and that they are cheap.

        On a busy machine a run may seem expensive for a while.
        """

        async def ask():
            bodies = [body(n, n) for n in (1, 3)]
            await asyncio.gather(*(predict_json(self.inference, SPEC, one) for one in bodies))

        for number in range(100):
            asyncio.run(ask())
            if number > 10 and self.ask(1) != [None]:
                break
        self.model.calls.clear()
        self.observed.clear()

    def ask(self, *numbers, spec=SPEC):
        bodies = [number if isinstance(number, bytes) else body(number) for number in numbers]
        return self.inference.serve_together(spec, bodies, self.form)


def body(*numbers):
    return b'{"instances":%b}' % str(list(numbers)).encode()


def answered(*numbers):
    return (
        b'{\n    "predictions": %b\n}' % str([float(n) for n in numbers]).replace(" ", "").encode()
    )


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def served(executor, monkeypatch):
    served = Served(executor)
    served.learn()
    costs(monkeypatch, 1e-6)
    return served


def costs(monkeypatch, seconds):
    """Have every size cost so much from now on."""
    monkeypatch.setattr(RunCosts, "record", lambda *_: None)
    for name in ("seconds", "seconds_if_alike"):
        monkeypatch.setattr(RunCosts, name, lambda self, rows: seconds)
    monkeypatch.setattr(RunCosts, "best", lambda self, least, rows: rows)


def test_nothing_runs_before_it_is_known_to_be_safe_and_cheap(executor, monkeypatch):
    served = Served(executor)
    assert served.ask(1, 2) == [None, None]
    served.learn()
    costs(monkeypatch, 1.0)
    assert served.ask(1, 2) == [None, None]
    costs(monkeypatch, None)
    assert served.ask(1, 2) == [None, None]
    assert served.model.calls == []


def test_requests_of_one_turn_take_one_run_and_get_their_own_answers(served):
    assert served.ask(1, body(2, 3), 4) == [answered(2), answered(4, 6), answered(8)]
    assert served.model.calls == [[1, 2, 3, 4]]


def test_the_costs_decide_how_many_rows_run_together(served, monkeypatch):
    monkeypatch.setattr(RunCosts, "best", lambda self, least, rows: 2)
    assert served.ask(1, 2, body(3, 4, 5), 6) == [
        answered(2),
        answered(4),
        answered(6, 8, 10),
        answered(12),
    ]
    assert served.model.calls == [[1, 2], [3, 4, 5], [6]]


def test_a_request_that_cannot_be_read_is_omitted(served):
    assert served.ask(1, b"{", 2, b'{"instances": ["a"]}') == [answered(2), None, answered(4), None]
    assert served.model.calls == [[1, 2]]


@pytest.mark.parametrize("bad", [-1, -2])
def test_requests_that_fail_together_are_left_to_the_general_path(served, bad):
    assert served.ask(1, bad, 2) == [None, None, None]
    assert served.observed == []

    async def each():
        requests = [predict_json(served.inference, SPEC, body(n)) for n in (1, bad, 2)]
        return await asyncio.gather(*requests, return_exceptions=True)

    first, failed, last = asyncio.run(each())
    assert (first, last) == (answered(2), answered(4))
    assert isinstance(failed, Exception)


def test_the_version_is_released(served):
    served.ask(1, -1)
    assert [version.handles for version in served.manager.versions()] == [0]


def test_an_unknown_model_or_signature_has_no_answer_here(served):
    assert served.ask(1, spec=ModelSpec("n")) == [None]
    assert served.ask(1, spec=ModelSpec("m", signature="s")) == [None]
    assert served.ask(1, spec=ModelSpec("m", version=2)) == [None]


def test_each_request_is_counted_and_the_run_once(served):
    before = counts(served)
    served.ask(1, body(2, 3), b"{", 4)
    added = counts(served)
    added.subtract(before)
    labels = 'model_name="m",version="1",signature="serving_default",method="Predict"'
    session = ":tensorflow:serving:batching_session:"
    assert added[f'cloudserve_requests_total{{{labels},status="OK"}}'] == 3
    assert added[f"cloudserve_request_seconds_count{{{labels}}}"] == 3
    assert added[f"{session}input_batch_size_count"] == 3
    assert added[f"{session}input_batch_size_sum"] == 4
    assert added[f"{session}wrapped_run_count"] == 1
    assert added[f"{session}processed_batch_size_sum"] == 4


def counts(served):
    lines = served.metrics.page().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return Counter({name.removesuffix("{}"): float(value) for name, value in samples})


def test_an_observer_can_have_each_request(served):
    served.ask(1, body(2, 3))
    (observation,) = served.observed
    assert observation.requests == 2
    first, second = observation.each()
    assert first.inputs["x"].tolist() == [1]
    assert second.inputs["x"].tolist() == [2, 3]
    assert second.answer.outputs["y"].tolist() == [4, 6]
    assert second.answer.spec == ModelSpec("m", 1, None, "serving_default")
    assert (first.requests, first.code, first.servable.version) == (1, Code.OK, 1)
    assert 0 < first.run_seconds <= first.seconds


def test_a_model_that_does_not_batch_runs_each_by_itself_once_it_is_known_to_be_quick(executor):
    served = Served(executor, batched=False)
    assert served.ask(1, 2) == [None, None]
    served.learn()
    assert served.ask(1, body(2, 3), -1) == [answered(2), answered(4, 6), None]
    assert served.model.calls == [[1], [2, 3], [-1]]
    assert [one.requests for one in served.observed] == [1, 1]


def test_a_signature_that_may_change_something_is_never_run_twice(executor):
    served = Served(executor, batched=False)
    spec = ModelSpec("m", signature="counter")
    for _ in range(12):
        asyncio.run(predict_json(served.inference, spec, body(1)))
    assert served.ask(1, spec=spec) == [None]


def test_a_signature_of_another_method_is_refused_by_the_general_path(executor, monkeypatch):
    served = Served(executor, check_methods=True)
    served.learn()
    costs(monkeypatch, 1e-6)
    assert served.ask(1) == [answered(2)]
    served.model.all_signatures["serving_default"] = Signature(
        "serving_default", "mine", (X,), (Y,)
    )
    assert served.ask(1) == [None]
