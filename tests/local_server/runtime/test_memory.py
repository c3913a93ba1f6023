"""What a model asks of memory is refused without holding up others, and comes back at its end."""

import gc
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.codecs.tfrecord import frame
from cloudserve.local_server.runtime.capi.graph import Graph
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.warmup import WARMUP_FILE, warmed
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

WIDTH = 16
DATA = "variables/variables.data-00000-of-00001"

# In a process of its own: the allocator is chosen when TensorFlow is imported. The request asks for
# more than an address can name, so that no machine has it. TensorFlow's own pool makes the other
# model wait for 10 s.
ASK_FOR_TOO_MUCH = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.status import StatusError

greedy, modest = (load_model(Path(path)) for path in sys.argv[1:])
def ask_modest():
    return modest.run("serving_default", {"x": np.ones([1, 16], np.float32)})["y"].tolist()
def ask_greedy():
    try:
        greedy.run("serving_default", {"n": np.array(2**31 - 1, np.int32)})
    except StatusError as error:
        return error.code.name
assert ask_modest() == [[1.0] * 16]
with ThreadPoolExecutor(2) as pool:
    refusal = pool.submit(ask_greedy)
    while not refusal.done():
        assert pool.submit(ask_modest).result(timeout=9) == [[1.0] * 16]
    print(refusal.result(), ask_modest() == [[1.0] * 16])
"""


def save(module, path, function, spec):
    signature = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures=signature)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Give the paths of a model of variables, one of constants, and a Keras model."""
    folder, matrix = tmp_path_factory.mktemp("models"), np.eye(WIDTH, dtype=np.float32)
    spec = tf.TensorSpec([None, WIDTH], name="x")
    module = tf.Module()
    module.matrix = tf.Variable(matrix)
    save(module, folder / "variables", lambda x: {"y": tf.matmul(x, module.matrix)}, spec)
    save(tf.Module(), folder / "frozen", lambda x: {"y": tf.matmul(x, tf.constant(matrix))}, spec)
    dense = tf.keras.layers.Dense(WIDTH, use_bias=False, kernel_initializer="identity")
    model = tf.keras.Sequential([tf.keras.layers.Input((WIDTH,)), dense])
    tf.saved_model.save(model, str(folder / "keras"))
    return folder


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def graphs():
    """Return the graphs that this process holds, by their addresses."""
    return {id(one) for one in gc.get_objects() if issubclass(type(one), Graph | tf.Graph)}


def load_and_run(path, devices=()):
    model = load_model(path, options=SessionOptions(devices=devices))
    (spec,) = model.signatures["serving_default"].inputs
    ones = np.ones([1, WIDTH], np.float32)
    (y,) = model.run("serving_default", {spec.alias: ones}).values()
    assert y.tolist() == ones.tolist()
    return model


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("devices", [(), ("cpu:0", "cpu:1")])
@pytest.mark.parametrize("name", ["variables", "frozen", "keras"])
def test_no_graph_of_a_closed_model_waits_for_the_garbage_collector(saved, name, devices):
    load_and_run(saved / name, devices).close()  # what TensorFlow makes once and keeps
    before = graphs()
    model = load_and_run(saved / name, devices)
    assert graphs() > before
    model.close()
    assert graphs() <= before


def break_data(path):
    (path / DATA).write_bytes((path / DATA).read_bytes()[:100])


def break_index(path):
    (path / "variables/variables.index").unlink()


def break_graph(path):
    file = path / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"MatMul", b"MutMal"))


def add_bad_warmup(path):
    log = PredictionLog()
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.ones([1, 3], np.float32)))
    file = path / WARMUP_FILE
    file.parent.mkdir()
    file.write_bytes(frame(log.SerializeToString()))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("breakage", [break_data, break_index, break_graph, add_bad_warmup])
@pytest.mark.parametrize("name", ["variables", pytest.param("keras", marks=pytest.mark.slow)])
def test_no_graph_of_a_model_that_did_not_load_is_kept_with_its_error(
    saved, tmp_path, name, breakage
):
    path = tmp_path / "1"
    shutil.copytree(saved / name, path)
    breakage(path)
    load = warmed(load_model)
    kept = []
    with pytest.raises(LoadError):
        load(path)
    before = graphs()
    with pytest.raises(LoadError) as caught:
        load(path)
    kept.append(caught.value)
    del caught
    assert graphs() <= before
    assert kept[0].message


def test_a_request_for_more_memory_than_there_is_holds_up_no_other_model(saved, tmp_path):
    spec = tf.TensorSpec([], tf.int32, name="n")
    greedy = save(
        tf.Module(), tmp_path / "1", lambda n: {"y": tf.reduce_sum(tf.zeros([n, 100_000]))}, spec
    )
    command = [sys.executable, "-c", ASK_FOR_TOO_MUCH, str(greedy), str(saved / "variables")]
    environment = {k: v for k, v in os.environ.items() if k != "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    assert done.stdout.split() == ["RESOURCE_EXHAUSTED", "True"], done.stderr
