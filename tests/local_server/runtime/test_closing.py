"""What closing a model gives back, and what concurrent calls see."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import Code, StatusError

LOADS = Path(__file__).parents[3] / "benchmarks" / "endurance" / "loads.py"
WIDTH = 1600
MODEL_BYTES = WIDTH * WIDTH * 4
WARM, CYCLES = 5, 12


class Wide(tf.Module):
    """A matrix."""

    def __init__(self):
        super().__init__()
        self.matrix = tf.Variable(np.eye(WIDTH, dtype=np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], name="x")])
    def __call__(self, x):
        return {"y": tf.matmul(x, self.matrix)}


@pytest.fixture(scope="module")
def for_a_session(tmp_path_factory):
    path = tmp_path_factory.mktemp("wide") / "1"
    module = Wide()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


@pytest.fixture(scope="module")
def for_the_eager_loader(tmp_path_factory):
    path = tmp_path_factory.mktemp("wide") / "1"
    dense = tf.keras.layers.Dense(WIDTH, use_bias=False, kernel_initializer="identity")
    model = tf.keras.Sequential([tf.keras.layers.Input((WIDTH,)), dense])
    tf.saved_model.save(model, str(path))
    return path


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc to read")
@pytest.mark.parametrize("model", ["for_a_session", "for_the_eager_loader"])
def test_loading_and_closing_again_leaves_no_model_behind(request, model):
    path = request.getfixturevalue(model)
    command = [sys.executable, LOADS, str(WARM + CYCLES), path]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    sizes = [json.loads(line)["resident"] for line in done.stdout.splitlines()]
    assert len(sizes) == WARM + CYCLES
    # One model left behind each time would be twelve; garbage of the loader comes and goes.
    assert sizes[-1] - sizes[WARM] < 2 * MODEL_BYTES


@pytest.mark.parametrize("devices", [(), ("cpu:0", "cpu:1")])
@pytest.mark.parametrize("model", ["for_a_session", "for_the_eager_loader"])
def test_calls_that_run_while_a_model_is_closed_end_well_or_are_cancelled(request, model, devices):
    model = load_model(request.getfixturevalue(model), options=SessionOptions(devices=devices))
    x = np.arange(WIDTH, dtype=np.float32)[None]
    (spec,) = model.signatures["serving_default"].inputs
    first_answers = threading.Semaphore(0)

    def call_until_refused():
        while True:
            try:
                (y,) = model.run("serving_default", {spec.alias: x}).values()
            except StatusError as error:
                return error
            assert y.tolist() == x.tolist()
            first_answers.release()

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call_until_refused) for _ in range(4)]
        for _ in calls:
            assert first_answers.acquire(timeout=20)
        model.close()
        refusals = [call.result(60) for call in calls]
    assert {error.code for error in refusals} == {Code.CANCELLED}
    model.close()  # once more does nothing
