"""The data plane: the version that answers, and that the event loop stays free."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchingParameters, batched
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.inference.example_methods import CLASSIFY, REGRESS
from cloudserve.local_server.inference.requests import classify, multi_inference, predict, regress
from cloudserve.local_server.inference.types import ModelSpec, Task
from cloudserve.local_server.models import Manager, State
from cloudserve.local_server.protocols.tfserving.predict_json import predict_job
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec
from tests.local_server.serving import answer
from tests.local_server.signature_defs import definitions

X = TensorSpec("x", "x:0", "float32", None)


class Echo:
    """A model that answers what it is given, once it may."""

    def __init__(self, path):
        names = ("serving_default", "other")
        self.signatures = self.all_signatures = {n: Signature(n, "", (X,), (X,)) for n in names}
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def run(self, signature, inputs, wanted=()):
        self.entered.set()
        assert self.go_on.wait(60)
        return dict(inputs)

    def close(self):
        assert self.go_on.is_set()


def one(signature):
    return {spec.alias: np.array([1.0], np.float32) for spec in signature.inputs}


@pytest.fixture
def manager():
    manager = Manager(Echo)
    for version in (1, 2):
        asyncio.run(manager.load("m", version, Path("m")))
    return manager


@pytest.fixture
def inference(manager):
    with ThreadPoolExecutor(2) as executor:
        yield Inference(manager, executor)


@pytest.mark.parametrize(
    ("spec", "resolved"),
    [
        (ModelSpec("m"), ModelSpec("m", 2, None, "serving_default")),
        (ModelSpec("m", 1, None, "other"), ModelSpec("m", 1, None, "other")),
    ],
)
def test_an_answer_says_which_version_and_signature_gave_it(inference, spec, resolved):
    prediction = asyncio.run(answer(inference, predict(spec, one)))
    assert prediction.spec == resolved
    assert prediction.signature.name == resolved.signature
    assert prediction.outputs["x"].tolist() == [1.0]


def test_a_signature_that_does_not_exist_is_reported(inference):
    with pytest.raises(StatusError) as caught:
        asyncio.run(answer(inference, predict(ModelSpec("m", signature="s"), one)))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == 'Serving signature name: "s" not found in signature def'


def test_a_model_that_does_not_exist_is_reported_before_anything_is_decoded(inference):
    with pytest.raises(StatusError, match=r"Latest\(n\)"):
        asyncio.run(answer(inference, predict(ModelSpec("n"), pytest.fail)))


def test_the_loop_answers_while_a_model_runs_and_an_unload_waits_for_it(manager, inference):
    with manager.handle("m") as servable:
        model = servable.model
    model.go_on.clear()

    async def main():
        running = asyncio.create_task(answer(inference, predict(ModelSpec("m"), one)))
        await asyncio.to_thread(model.entered.wait, 60)
        unloading = asyncio.create_task(manager.unload("m", 2))
        await asyncio.sleep(0)  # lets the task take its first step
        assert inference.status("m", 2)[0].state is State.UNLOADING
        assert not unloading.done()
        model.go_on.set()
        assert (await running).spec.version == 2
        await unloading
        assert inference.status("m", 2)[0].state is State.END

    asyncio.run(main())


def test_a_call_that_is_cancelled_holds_its_version_until_the_model_is_done(manager, inference):
    with manager.handle("m") as servable:
        model = servable.model
    model.go_on.clear()

    async def main():
        running = asyncio.create_task(answer(inference, predict(ModelSpec("m"), one)))
        await asyncio.to_thread(model.entered.wait, 60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        unloading = asyncio.create_task(manager.unload("m", 2))
        await asyncio.sleep(0)  # lets the task take its first step
        assert inference.status("m", 2)[0].state is State.UNLOADING
        model.go_on.set()
        await unloading  # Echo.close fails if this came while the model ran

    asyncio.run(main())


# Batches.

TOGETHER = 16
EXPIRED = (
    Code.RESOURCE_EXHAUSTED,
    "Run() timeout exceeded while waiting in batching queue",
)


@pytest.fixture
def batching():
    """A manager of a model whose batches wait for so many requests, and the sizes of its runs."""
    sizes = []

    class Sized(Echo):
        def run(self, signature, inputs, wanted=()):
            sizes.append(len(inputs["x"]))
            return super().run(signature, inputs)

    parameters = BatchingParameters(max_batch_size=TOGETHER, batch_timeout_micros=60_000_000)
    manager = Manager(batched(Sized, parameters))
    asyncio.run(manager.load("m", 1, Path("m")))
    yield manager, sizes
    asyncio.run(manager.unload_all())


@pytest.mark.parametrize("small", [True, False])
def test_predictions_that_wait_in_a_batch_hold_no_thread(batching, small):
    manager, sizes = batching

    async def main(inference):
        waiting = (
            answer(inference, predict(ModelSpec("m"), one), small=small) for _ in range(TOGETHER)
        )
        return await asyncio.gather(*waiting)

    with ThreadPoolExecutor(1) as executor:
        answers = asyncio.run(main(Inference(manager, executor)))
    assert [answer.outputs["x"].tolist() for answer in answers] == [[1.0]] * TOGETHER
    assert {answer.spec for answer in answers} == {ModelSpec("m", 1, None, "serving_default")}
    assert sizes == [TOGETHER]


def test_a_prediction_whose_time_ends_in_a_batch_leaves_its_neighbours(batching):
    manager, sizes = batching

    async def main(inference):
        with pytest.raises(StatusError) as caught:
            await answer(inference, predict(ModelSpec("m"), one), timeout_seconds=0.01)
        assert (caught.value.code, caught.value.message) == EXPIRED
        waiting = (answer(inference, predict(ModelSpec("m"), one)) for _ in range(TOGETHER - 1))
        return await asyncio.gather(*waiting)

    with ThreadPoolExecutor(1) as executor:
        answers = asyncio.run(main(Inference(manager, executor)))
    assert len(answers) == TOGETHER - 1
    assert sum(sizes) == TOGETHER - 1


def test_a_prediction_whose_time_ends_while_its_batch_runs_gets_the_other_error():
    echoes = []

    def load(path):
        echoes.append(Echo(path))
        echoes[0].go_on.clear()
        return echoes[0]

    manager = Manager(batched(load, BatchingParameters()))
    asyncio.run(manager.load("m", 1, Path("m")))

    async def main(inference):
        with pytest.raises(StatusError) as caught:
            await answer(inference, predict(ModelSpec("m"), one), timeout_seconds=0.05)
        failure = caught.value.code, caught.value.message
        echoes[0].go_on.set()
        await manager.unload_all()
        return failure

    with ThreadPoolExecutor(1) as executor:
        failure = asyncio.run(main(Inference(manager, executor)))
    assert echoes[0].entered.is_set()
    assert failure == (Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


def test_a_prediction_that_is_abandoned_in_its_queue_is_not_run(batching):
    manager, sizes = batching

    async def main(inference):
        decoded = asyncio.Event()  # and queued in the same step

        def decode(signature):
            decoded.set()
            return one(signature)

        first = asyncio.ensure_future(
            answer(inference, predict(ModelSpec("m"), decode), small=True)
        )
        await decoded.wait()
        first.cancel()
        waiting = (answer(inference, predict(ModelSpec("m"), one)) for _ in range(TOGETHER - 1))
        await asyncio.gather(*waiting)
        with pytest.raises(asyncio.CancelledError):
            await first

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(main(Inference(manager, executor)))
    assert sizes == [TOGETHER - 1]


class Values(Echo):
    """A model that classifies, regresses and says how many examples it was given at a time."""

    def __init__(self, path):
        super().__init__(path)
        text, value, scores = (
            TensorSpec(alias, f"{alias}:0", dtype, None)
            for alias, dtype in (
                ("inputs", "string"),
                ("outputs", "float32"),
                ("scores", "float32"),
            )
        )
        self.signatures = self.all_signatures = {
            "regress": Signature("regress", "", (text,), (value,)),
            "classify": Signature("classify", "", (text,), (scores,)),
        }
        self.definitions = definitions(self.signatures)
        self.sizes = []

    def run(self, signature, inputs, wanted=()):
        examples = inputs["inputs"]
        self.sizes.append((signature, len(examples)))
        lengths = np.array([len(each) for each in examples], np.float32)
        if signature == "regress":
            return {"outputs": lengths}
        return {"scores": lengths[:, None]}


@pytest.fixture
def values():
    models = []

    def load(path):
        models.append(Values(path))
        return models[-1]

    parameters = BatchingParameters(max_batch_size=TOGETHER, batch_timeout_micros=60_000_000)
    manager = Manager(batched(load, parameters))
    asyncio.run(manager.load("m", 1, Path("m")))
    yield manager, models[0]
    asyncio.run(manager.unload_all())


def test_examples_that_wait_in_a_batch_hold_no_thread(values):
    manager, model = values
    value, classes = (ModelSpec("m", signature=name) for name in ("regress", "classify"))
    several = [Task(value, REGRESS), Task(classes, CLASSIFY)]

    async def main(inference):
        half = TOGETHER // 2
        waiting = [
            *(answer(inference, regress(value, [b"a" * n])) for n in range(half)),
            *(answer(inference, classify(classes, [b"a" * n])) for n in range(half)),
            *(answer(inference, multi_inference(several, [b"a" * n])) for n in range(half)),
        ]
        answers = await asyncio.gather(*waiting)
        return answers[:half], answers[half : 2 * half], answers[2 * half :]

    with ThreadPoolExecutor(1) as executor:
        regressions, classified, both = asyncio.run(main(Inference(manager, executor)))
    assert [answer.values.tolist() for answer in regressions] == [[n] for n in range(8)]
    assert [answer.scores.tolist() for answer in classified] == [[[n]] for n in range(8)]
    assert [(a.values.tolist(), b.scores.tolist()) for a, b in both] == [
        ([n], [[n]]) for n in range(8)
    ]
    assert model.sizes == [("regress", TOGETHER), ("classify", TOGETHER)]


def test_examples_whose_time_ends_in_a_batch_fail_and_do_not_run(values):
    manager, model = values
    spec = ModelSpec("m", signature="regress")

    async def main(inference):
        with pytest.raises(StatusError) as caught:
            await answer(inference, regress(spec, [b"late"]), timeout_seconds=0.01)
        await asyncio.gather(
            *(answer(inference, regress(spec, [b""])) for _ in range(TOGETHER - 1))
        )
        return caught.value.code, caught.value.message

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(main(Inference(manager, executor))) == EXPIRED
    assert model.sizes == [("regress", TOGETHER - 1)]


def test_examples_that_a_batch_cannot_take_are_refused(values):
    manager, _ = values
    spec = ModelSpec("m", signature="none")
    with ThreadPoolExecutor(1) as executor, pytest.raises(StatusError) as caught:
        asyncio.run(answer(Inference(manager, executor), classify(spec, [b""])))
    assert caught.value.message == "No signature was found with the name: none"


def test_a_body_that_waits_for_a_thread_to_be_parsed_is_abandoned_in_time(batching):
    manager, _ = batching
    may_go_on = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(may_go_on.wait, 60)
        inference = Inference(manager, executor)

        async def ask():
            job = predict_job(ModelSpec("m"), b'{"instances": [NaN]}')
            return await inference.serve(job, timeout_seconds=0.01)

        try:
            with pytest.raises(StatusError) as caught:
                asyncio.run(ask())
        finally:
            may_go_on.set()
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_an_error_of_a_prediction_in_a_batch_is_its_own(batching):
    manager, _ = batching
    with ThreadPoolExecutor(1) as executor:
        inference = Inference(manager, executor)
        with pytest.raises(StatusError, match='"s" not found'):
            asyncio.run(answer(inference, predict(ModelSpec("m", signature="s"), one)))
        with pytest.raises(StatusError, match=r"Latest\(n\)"):
            asyncio.run(answer(inference, predict(ModelSpec("n"), one), small=True))
