"""The data plane: who answered, and that the event loop stays free in the meantime."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cloudserve.local_server.inference import Inference, ModelSpec
from cloudserve.local_server.models import Manager, State
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

X = TensorSpec("x", "x:0", "float32", None)


class Echo:
    """A model that answers what it is given, once it may."""

    def __init__(self, path):
        names = ("serving_default", "other")
        self.signatures = self.all_signatures = {n: Signature(n, "", (X,), (X,)) for n in names}
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def run(self, signature, inputs):
        self.entered.set()
        assert self.go_on.wait(10)
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
    prediction = asyncio.run(inference.predict(spec, one))
    assert prediction.spec == resolved
    assert prediction.signature.name == resolved.signature
    assert prediction.outputs["x"].tolist() == [1.0]


def test_a_signature_that_is_not_there_is_told(inference):
    with pytest.raises(StatusError) as caught:
        asyncio.run(inference.predict(ModelSpec("m", signature="s"), one))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == 'Serving signature name: "s" not found in signature def'


def test_a_model_that_is_not_there_is_told_before_anything_is_decoded(inference):
    with pytest.raises(StatusError, match=r"Latest\(n\)"):
        asyncio.run(inference.predict(ModelSpec("n"), pytest.fail))


def test_the_loop_answers_while_a_model_runs_and_an_unload_waits_for_it(manager, inference):
    with manager.handle("m") as servable:
        model = servable.model
    model.go_on.clear()

    async def main():
        running = asyncio.create_task(inference.predict(ModelSpec("m"), one))
        await asyncio.to_thread(model.entered.wait, 10)
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
        running = asyncio.create_task(inference.predict(ModelSpec("m"), one))
        await asyncio.to_thread(model.entered.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        unloading = asyncio.create_task(manager.unload("m", 2))
        await asyncio.sleep(0)  # lets the task take its first step
        assert inference.status("m", 2)[0].state is State.UNLOADING
        model.go_on.set()
        await unloading  # Echo.close fails if this came while the model ran

    asyncio.run(main())
