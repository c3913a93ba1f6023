"""Replicas on several devices: real placement, variables of their own, the least loaded chosen."""

import threading
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_void_p, string_at
from types import MappingProxyType

import numpy as np
import pytest
import tensorflow as tf
from cloudserve.local_server.batching import BatchedModel, BatchingParameters
from cloudserve.local_server.batching.scheduler import Scheduler
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.runtime.capi.buffers import Lent
from cloudserve.local_server.runtime.capi.library import Buffer, Output, library
from cloudserve.local_server.runtime.capi.status import Status
from cloudserve.local_server.runtime.capi.tensors import new_tensor
from cloudserve.local_server.runtime.config import read_config, session_config
from cloudserve.local_server.runtime.devices import Device, count_cpus, find_devices, parse_devices
from cloudserve.local_server.runtime.dtypes import numpy_dtype
from cloudserve.local_server.runtime.loading.restore import pin, restore
from cloudserve.local_server.runtime.loading.saved_model import nodes, read_meta_graph
from cloudserve.local_server.runtime.options import SessionOptions
from cloudserve.local_server.runtime.replicas import ReplicatedModel
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError
from hypothesis import given
from hypothesis import strategies as st

CPUS = (Device("CPU", 0), Device("CPU", 1))
ON_BOTH = SessionOptions(devices=("cpu:0", "cpu:1"))


def names(words, gpus):
    observed = ["CPU:0", *(f"GPU:{index}" for index in range(gpus))]
    listed = [f"/job:localhost/replica:0/task:0/device:{name}" for name in observed]
    return " ".join(map(str, find_devices(words, lambda: listed)))


# Words.


@pytest.mark.parametrize(
    ("words", "gpus", "expected"),
    [
        ((), 2, ""),
        (("cpu:0", "CPU:1"), 0, "cpu:0 cpu:1"),
        (("gpu:1",), 2, "gpu:1"),
        (("gpu:all",), 2, "gpu:0 gpu:1"),
        (("gpu:1", "gpu:all"), 2, "gpu:1 gpu:0"),
        (("gpu:all", "cpu:0"), 1, "gpu:0 cpu:0"),
        (("all",), 2, "gpu:0 gpu:1"),
        (("all",), 0, "cpu:0"),
    ],
)
def test_words_name_the_devices_that_exist(words, gpus, expected):
    assert names(words, gpus) == expected


@pytest.mark.parametrize(
    ("words", "gpus", "message"),
    [
        (("gpu:2",), 2, "there is no gpu:2; TensorFlow sees gpu:0, gpu:1"),
        (("gpu:0",), 0, "there is no gpu:0; TensorFlow sees no GPU"),
        (("gpu:all",), 0, "gpu:all is asked for, and TensorFlow sees no GPU"),
    ],
)
def test_a_missing_gpu_is_refused(words, gpus, message):
    with pytest.raises(StatusError) as caught:
        names(words, gpus)
    assert (caught.value.code, caught.value.message) == (Code.FAILED_PRECONDITION, message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tpu:0",), "'tpu:0' is not a device; name cpu:N, gpu:N, gpu:all or all"),
        (("",), "'' is not a device; name cpu:N, gpu:N, gpu:all or all"),
        (("gpu:-1",), "'gpu:-1' is not a device; name cpu:N, gpu:N, gpu:all or all"),
        (("cpu:0", "gpu:0", "cpu:00"), "the device cpu:0 is named twice"),
        (("all", "gpu:all"), "the device gpu:all is named twice"),
        (("cpu:64",), "cpu:64 is out of range: there may be 64 CPU devices"),
    ],
)
def test_invalid_devices_are_refused_when_the_options_are_made(words, message):
    with pytest.raises(StatusError) as caught:
        SessionOptions(devices=words)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


@given(st.lists(st.text(max_size=8), max_size=3))
def test_any_words_are_devices_or_refused(words):
    try:
        parsed = parse_devices(words)
    except StatusError as error:
        assert error.code is Code.INVALID_ARGUMENT
    else:
        assert len(parsed) == len(words)


@given(st.lists(st.tuples(st.sampled_from(["cpu", "gpu"]), st.integers(0, 63)), unique=True))
def test_a_device_is_read_as_it_is_written(pairs):
    words = [f"{kind}:{index}" for kind, index in pairs]
    assert [str(device) for device in parse_devices(words)] == words
    assert count_cpus(parse_devices(words)) >= 1


# Placement.


def trace(restored, signature, feeds):
    """Run a signature and give the devices at which its nodes stood, without feeds and fetches."""
    result, graph = restored.signatures[signature], restored.session.graph
    fed = [graph.find(spec.tensor_name) for spec in result.inputs]
    arrays = [np.asarray(feeds[spec.alias]) for spec in result.inputs]
    tensors = [
        new_tensor(array.astype(numpy_dtype(one.number)), one.number)
        for array, one in zip(arrays, fed, strict=True)
    ]
    fetched = [graph.find(spec.tensor_name) for spec in result.outputs]
    options = message_class("tensorflow.RunOptions")(output_partition_graphs=True)
    lent, metadata, status = Lent(options.SerializeToString()), Buffer(), Status()
    library().TF_SessionRun(
        *(restored.session._pointer, byref(lent.buffer)),
        (Output * len(fed))(*[one.output for one in fed]),
        (c_void_p * len(fed))(*tensors),
        len(fed),
        (Output * len(fetched))(*[one.output for one in fetched]),
        (c_void_p * len(fetched))(),
        len(fetched),
        *((c_void_p * 0)(), 0, byref(metadata), status.pointer),
    )
    status.check()
    text = message_class("tensorflow.RunMetadata").FromString(
        string_at(metadata.data, metadata.length)
    )
    nodes = [node for graph in text.partition_graphs for node in graph.node]
    transport = {"_Arg", "_Retval", "_Send", "_Recv", "_HostSend", "_HostRecv"}
    return {node.device.rpartition("/")[2] for node in nodes if node.op not in transport}


class Branches(tf.Module):
    """Functions, a loop, a branch, a table and a variable."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.eye(3, dtype=np.float32))
        rows = tf.lookup.KeyValueTensorInitializer(["a"], [1])
        self.table = tf.lookup.StaticHashTable(rows, -1)

    @tf.function(
        input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    def __call__(self, x, word):
        y = tf.while_loop(lambda y: tf.reduce_sum(y) < 100, lambda y: [y * 2], [x])[0]
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.matmul(y, self.weights), lambda: y)
        return {"y": y, "k": self.table.lookup(word)}


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    path = tmp_path_factory.mktemp("branches") / "1"
    module = Branches()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


WORDS = np.array([b"a", b"b"], object)
TAXI_EXAMPLES = np.array([b""], object)


@pytest.mark.parametrize(
    ("model", "signature", "feeds"),
    [
        ("tfs_half_plus_two_cpu/123", "serving_default", {"x": [[1.0]]}),
        ("tfs_half_plus_two_tf2/123", "serving_default", {"x": [1.0]}),
        ("sts_template_app/1", "serving_default", {"features": np.ones((1, 9)), "keys": [[1]]}),
        ("branches", "serving_default", {"x": np.ones((2, 3)), "word": WORDS}),
    ],
)
@pytest.mark.parametrize("device", CPUS, ids=str)
def test_every_node_stands_on_the_replicas_device(
    model, signature, feeds, device, branches, shared_models
):
    path = branches if model == "branches" else shared_models / model
    config = session_config(read_config(SessionOptions()), CPUS)
    restored = restore(path, ("serve",), config, device)
    assert trace(restored, signature, feeds) == {f"device:CPU:{device.index}"}
    restored.session.close()


def test_nodes_that_a_model_puts_on_the_cpu_stay_there_beside_a_gpu(shared_models):
    graph = read_meta_graph(shared_models / "tfs_half_plus_two_tf2/123", ("serve",)).graph_def
    pin(graph, Device("GPU", 0))
    devices = {node.op: node.device for node in nodes(graph)}
    assert devices["VarHandleOp"] == devices["Mul"] == "/device:GPU:0"
    # The exporter wrote these at the CPU.
    assert devices["RestoreV2"] == devices["SaveV2"] == "/device:CPU:0"


def test_a_keras_model_restored_by_its_object_graph_has_replicas(keras_saved):
    model = load_model(keras_saved, options=ON_BOTH)
    for replica in model.replicas:
        outputs = replica.run("serving_default", {"inputs": np.ones((1, 3), np.float32)})
        assert outputs["output_0"].tolist() == [[3.0, 3.0]]
    model.close()


def test_a_missing_device_is_replaced_by_the_cpu(tmp_path):
    graph = tf.Graph()
    with graph.as_default(), tf.device("/device:GPU:3"):
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        y = tf.add(x, 1.0, "y")
    with tf.compat.v1.Session(graph=graph) as session:
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": y})
    model = load_model(tmp_path / "1")
    outputs = model.run("serving_default", {"x": np.array([1, 2], np.float32)})
    assert outputs["y"].tolist() == [2.0, 3.0]
    model.close()


def test_a_device_that_does_not_exist_is_a_failure_of_the_load(shared_models):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(LoadError) as caught:
        load_model(shared_models / "tfs_counter/123", options=SessionOptions(devices=("gpu:all",)))
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert caught.value.message == "gpu:all is asked for, and TensorFlow sees no GPU"


# Replicas.


def test_replicas_have_variables_of_their_own(shared_models):
    counter = load_model(shared_models / "tfs_counter/123", options=ON_BOTH)
    first, second = counter.replicas
    for replica, times in ((first, 2), (second, 1)):
        replica.run("reset_counter", {})
        for _ in range(times):
            replica.run("incr_counter", {})
    assert first.run("get_counter", {})["output"].item() == 2.0
    assert second.run("get_counter", {})["output"].item() == 1.0
    counter.close()
    for replica in counter.replicas:
        with pytest.raises(StatusError, match=r"Session has been closed\."):
            replica.run("get_counter", {})


def test_tables_and_vocabularies_are_there_on_every_device(shared_models, branches):
    model = load_model(branches, options=ON_BOTH)
    for replica in model.replicas:
        x = np.full((1, 3), 50, np.float32)
        outputs = replica.run("serving_default", {"x": x, "word": WORDS})
        assert outputs["y"].tolist() == x.tolist()
        assert outputs["k"].tolist() == [1, -1]
    model.close()
    taxi = load_model(shared_models / "tfx_taxi_estimator/1646034756", options=ON_BOTH)
    for replica in taxi.replicas:
        assert replica.run("predict", {"examples": TAXI_EXAMPLES})["probabilities"].shape == (1, 2)
    taxi.close()


class Slow:
    """A replica that waits in its calls and counts them."""

    signatures = all_signatures = MappingProxyType({})

    def __init__(self):
        self.calls = 0
        self.closed = False
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()

    def run(self, signature, inputs, wanted=()):
        self.calls += 1
        self.entered.release()
        assert self.go_on.wait(60)
        return {}

    def close(self):
        self.closed = True


def test_calls_go_to_the_replica_that_runs_the_fewest():
    first, second, third = replicas = [Slow(), Slow(), Slow()]
    model = ReplicatedModel(replicas)
    with ThreadPoolExecutor(6) as pool:
        running = []
        for expected in (first, second, third, first):
            running.append(pool.submit(model.run, "", {}))
            assert expected.entered.acquire(timeout=60)
        second.go_on.set()
        running[1].result()
        running.append(pool.submit(model.run, "", {}))
        assert second.entered.acquire(timeout=60)
        for replica in replicas:
            replica.go_on.set()
        for call in running:
            call.result()
    assert [replica.calls for replica in replicas] == [2, 2, 1]


def test_calls_one_after_the_other_go_to_each_replica_in_turn():
    replicas = [Slow(), Slow(), Slow()]
    model = ReplicatedModel(replicas)
    for replica in replicas:
        replica.go_on.set()
    for _ in range(7):
        model.run("", {})
    assert [replica.calls for replica in replicas] == [3, 2, 2]


class Unclosable(Slow):
    def close(self):
        super().close()
        raise OSError("no")


def test_every_replica_is_closed_whatever_one_raises():
    replicas = [Slow(), Unclosable(), Slow()]
    with pytest.raises(OSError, match="no"):
        ReplicatedModel(replicas).close()
    assert [replica.closed for replica in replicas] == [True] * 3


def test_batches_are_spread_over_the_devices(shared_models):
    inner = load_model(shared_models / "tfs_half_plus_two_cpu/123", options=ON_BOTH)
    ran = [0, 0]

    def counted(index, run):
        def call(signature, inputs, wanted=()):
            ran[index] += 1
            return run(signature, inputs)

        return call

    for index, replica in enumerate(inner.replicas):
        replica.run = counted(index, replica.run)
    parameters = BatchingParameters(max_batch_size=4, max_enqueued_batches=1000)
    model = BatchedModel(inner, parameters, Scheduler(2, "devices"))

    def half_of(n):
        return model.run("serving_default", {"x": np.array([[n]], np.float32)})["y"].item()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(half_of, range(400))) == [n / 2 + 2 for n in range(400)]
    assert all(ran)
    model.close()
