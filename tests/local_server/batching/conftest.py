"""Models of a few lines that know how they were called, and a batcher around them."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from cloudserve.local_server.batching import BatchedModel, BatchingParameters
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec

NEVER = 10**12  # microseconds: the batch has to be full

X = TensorSpec("x", "x:0", "float32", None)
Y = TensorSpec("y", "y:0", "float32", None)
Z = TensorSpec("z", "z:0", "float32", None)
KEYS = TensorSpec("keys", "keys:0", "int32", None)
SIGNATURES = (
    Signature("serving_default", "", (X,), (Y,)),
    Signature("same", "", (replace(X, alias="inputs"),), (replace(Y, alias="outputs"),)),
    Signature("other", "", (X,), (Z,)),
    Signature("both", "", (X,), (Y, Z)),
    Signature("keyed", "", (KEYS, X), (Y,)),
    Signature("twice", "", (X,), (Y, replace(Y, alias="y_again"))),
    Signature("sparse", "", (TensorSpec("x", "", "float32", None, ("a", "b", "c")),), (Y,)),
    Signature("nothing", "", (), (Y,)),
)


FACTORS = {"y": 2, "y_again": 2, "outputs": 2, "z": 3}


class Multiplier:
    """Gives y twice and z three times as large as x, once it may; refuses rows of -1 and -2."""

    def __init__(self):
        self.signatures = self.all_signatures = {s.name: s for s in SIGNATURES}
        self.calls = []
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()
        self.go_on.set()
        self.closed = False

    def run(self, signature, inputs, wanted=()):
        assert not self.closed
        x = inputs.get("x", inputs.get("inputs"))
        self.calls.append((signature, x.tolist()))
        self.entered.release()
        assert self.go_on.wait(60)
        if (x == -1).any():
            raise StatusError(Code.INVALID_ARGUMENT, "-1 is refused")
        if (x == -2).any():
            raise AttributeError("a defect")
        outputs = wanted or [spec.alias for spec in self.signatures[signature].outputs]
        return {alias: x * FACTORS[alias] for alias in outputs}

    def close(self):
        self.closed = True

    def wait_until_busy(self):
        assert self.entered.acquire(timeout=60)


@pytest.fixture(scope="session")
def new_model():
    return Multiplier


@pytest.fixture
def model(new_model):
    return new_model()


@pytest.fixture
def batch(model):
    """Wrap a model, this one unless told; what the test leaves open is closed at the end."""
    wrapped = []

    def wrap(inner=model, *, threads=1, scheduler=None, **parameters):
        scheduler = scheduler or Scheduler(threads, "batch")
        wrapped.append(BatchedModel(inner, BatchingParameters(**parameters), scheduler))
        return wrapped[-1]

    yield wrap
    model.go_on.set()
    for one in wrapped:
        if not one._model.closed:
            one.close()


def x(*values):
    return {"x": np.array(values, np.float32)}


async def outcome(awaitable):
    try:
        return (await awaitable)["y"].tolist()
    except StatusError as error:
        return error.code, error.message


def gathered(wrapped, *requests, signature="serving_default", before=None):
    """Submit requests together, behind one that keeps the only thread busy until all wait."""
    model = wrapped._model

    async def main():
        model.go_on.clear()
        first = asyncio.create_task(wrapped.submit("serving_default", x(0)))
        await asyncio.to_thread(model.wait_until_busy)
        tasks = [asyncio.create_task(outcome(wrapped.submit(signature, r))) for r in requests]
        await asyncio.sleep(0)  # lets each task queue its request
        if before:
            await before(tasks)
        model.go_on.set()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(main())
    del model.calls[0]
    return results
