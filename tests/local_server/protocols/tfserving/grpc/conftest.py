"""A gRPC server over models of a few lines and real ones, and TensorFlow Serving's own stubs."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from cloudserve.local_server.config import ModelConfig, ModelServerConfig
from cloudserve.local_server.config.model_config import All
from cloudserve.local_server.inference import Inference
from cloudserve.local_server.models import FileSystemSource, Lifecycle, Manager, ServerCore, State
from cloudserve.local_server.protocols.tfserving.grpc.services import TfServingGrpc
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.types import LoadError
from cloudserve.local_server.status import Code, StatusError

from cloudserve.savedmodel.signature import Signature, TensorSpec
from tests.local_server.signature_defs import definitions

from .transports import TRANSPORTS, Chosen

PATIENCE = 60.0  # for what must come; nothing waits for it that passes
X = np.array([1.0, 2.0, 5.0], np.float32)


def spec(alias, dtype="float32"):
    return TensorSpec(alias, f"{alias}:0", dtype, None)


class Half:
    """Gives y = x / 2 + 2 and the version that ran; holds calls of `slow` until it may continue."""

    def __init__(self, version):
        inputs, outputs = (spec("x"),), (spec("version", "int64"), spec("y"))
        self.signatures = {
            name: Signature(name, "tensorflow/serving/predict", inputs, outputs)
            for name in ("serving_default", "slow", "broken")
        }
        self.signatures["two"] = Signature("two", "", (spec("a"), spec("b")), (spec("y"),))
        both = (spec("x"), spec("z"))
        self.signatures["defaulted"] = Signature("defaulted", "", both, (spec("y"),), ("z",))
        self.all_signatures = self.signatures
        self.definitions = definitions(self.signatures)
        self.version = np.array(version)
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()

    def run(self, signature, inputs, wanted=()):
        if signature == "two":
            return {"y": inputs["a"] + inputs["b"]}
        if signature == "defaulted":
            return {"y": inputs["x"] + inputs.get("z", 10)}
        if signature == "broken":
            raise StatusError(Code.RESOURCE_EXHAUSTED, "no room")
        if signature == "slow":
            self.entered.release()
            assert self.go_on.wait(PATIENCE)
        outputs = {"y": inputs["x"] / 2 + 2, "version": self.version}
        return {alias: outputs[alias] for alias in wanted or outputs}

    def close(self):
        pass


class Same:
    """Gives back what it is given, of whatever type: `o` is `i`."""

    def __init__(self, version):
        names = ("serving_default", "other")
        inputs, outputs = (spec("i"),), (spec("o"),)
        self.signatures = {name: Signature(name, "", inputs, outputs) for name in names}
        self.all_signatures = self.signatures
        self.definitions = definitions(self.signatures)

    def run(self, signature, inputs, wanted=()):
        return {"o": inputs["i"]}

    def close(self):
        pass


OUTPUTS = {
    "classes": {"classes": np.array([[b"a", b"\xff"]], object)},
    "scores": {"scores": np.array([[0.25, 0.75]], np.float32)},
    "both": {
        "classes": np.array([[b"a", b"b"]], object),
        "scores": np.array([[0.25, 0.75]], np.float32),
    },
    "value": {"outputs": np.array([0.5], np.float32)},
    "column": {"outputs": np.array([[0.5]], np.float32)},
    "vector": {"classes": np.array([b"a"], object)},
    "numbers": {"classes": np.array([[1]], np.int64)},
    "rows": {"classes": np.array([[b"a"], [b"b"]], object)},
    "score_vector": {"scores": np.array([0.5], np.float32)},
    "score_doubles": {"scores": np.array([[0.5]], np.float64)},
    "score_rows": {"scores": np.array([[0.5], [0.5]], np.float32)},
    "apart": {
        "classes": np.array([[b"a", b"b"]], object),
        "scores": np.array([[0.5]], np.float32),
    },
    "wide": {"outputs": np.array([[0.5, 0.5]], np.float32)},
    "many": {"outputs": np.array([0.5, 0.5], np.float32)},
    "double": {"outputs": np.array([0.5], np.float64)},
    "neither": {"probabilities": np.array([[0.5]], np.float32)},
    "three": {name: np.zeros((1, 1), np.float32) for name in ("classes", "scores", "x")},
}


class Examples:
    """Has signatures for Examples, right and wrong ones, and OUTPUTS for answers."""

    def __init__(self, version):
        self.signatures = {
            name: Signature(name, _METHODS.get(name, ""), (spec("inputs", "string"),), _specs(out))
            for name, out in OUTPUTS.items()
        }
        outputs = _specs(OUTPUTS["both"])
        self.signatures["renamed"] = Signature("renamed", "", (spec("x", "string"),), outputs)
        inputs = (spec("inputs", "string"), spec("more"))
        self.signatures["two_inputs"] = Signature("two_inputs", "", inputs, outputs)
        self.all_signatures = self.signatures
        self.definitions = definitions(self.signatures)
        self.examples = []

    def run(self, signature, inputs, wanted=()):
        self.examples += inputs["inputs"].tolist()
        return OUTPUTS[signature]

    def close(self):
        pass


_METHODS = {"both": "tensorflow/serving/classify", "value": "tensorflow/serving/regress"}


def _specs(outputs):
    dtypes = {"O": "string", "f": "float32", "i": "int64"}
    return tuple(spec(alias, dtypes[array.dtype.kind]) for alias, array in sorted(outputs.items()))


class Broken:
    def __init__(self, version):
        raise LoadError(Code.DATA_LOSS, "half of it is missing")


MODELS = {"half": Half, "same": Same, "examples": Examples, "broken": Broken}
VERSIONS = {"half": (1, 2), "same": (1,), "examples": (1,), "broken": (1,)}


def load(path):
    """Load a real model where there is one, else the model of the folder's name."""
    if (path / "saved_model.pb").exists():
        return load_model(path)
    return MODELS[path.parent.name](int(path.name))


@dataclass
class Served:
    """A gRPC server in the thread of its loop, and what is behind it."""

    app: TfServingGrpc
    server: Any
    manager: Manager
    core: ServerCore
    loop: asyncio.AbstractEventLoop

    def begin(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def do(self, work):
        return self.begin(work).result(PATIENCE)

    def model(self, name, version):
        with self.manager.handle(name, version) as servable:
            return servable.model

    @contextmanager
    def channel(self):
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.server.address, options=unlimited) as channel:
            yield channel


def model_config(base, *names, **labels):
    return [ModelConfig(name, str(base / name), policy=All(), labels=labels) for name in names]


def _are_all_there(manager, configs):
    states = [state for each in configs for state in manager.states(each.name)]
    return all(each.state is State.AVAILABLE for each in states)


@contextmanager
def serving(configs, *, loader=load, threads=8, check_methods=False, fixed=False, **options):
    """Serve models by their configurations; the labels take effect once the versions are there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with ThreadPoolExecutor(threads) as executor:
        manager = Manager(loader)
        lifecycle = Lifecycle(manager)
        core = ServerCore(manager, lifecycle, FileSystemSource(lifecycle.aspire))
        inference = Inference(manager, executor, check_methods=check_methods)
        app = TfServingGrpc(inference, None if fixed else core, **options)
        served = Served(app, Chosen.server(app), manager, core, loop)
        unlabelled = [ModelConfig(each.name, each.base_path, policy=All()) for each in configs]
        try:
            served.do(core.reload(ModelServerConfig(tuple(unlabelled)), PATIENCE))
            served.do(lifecycle.changed.until(lambda: _are_all_there(manager, configs)))
            served.do(core.reload(ModelServerConfig(tuple(configs)), PATIENCE))
            served.do(served.server.start())
            yield served
        finally:
            served.do(served.server.stop(PATIENCE))
            served.do(core.close())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def pytest_generate_tests(metafunc):
    """Serve over the native transport, and the tests of Predict over grpcio as well."""
    is_shared = metafunc.module.__name__.endswith(".test_grpc_predict")
    names = TRANSPORTS if is_shared else ["native"]
    metafunc.parametrize("transport", names, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def transport(request):
    """Select the transport of the module's servers."""
    Chosen.server = TRANSPORTS[request.param]
    return request.param


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """Make a base path for each model of MODELS."""
    folder = tmp_path_factory.mktemp("models")
    for name, versions in VERSIONS.items():
        for version in versions:
            (folder / name / str(version)).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def served(transport, model_folder):
    """Serve half (1 is stable), same and examples."""
    configs = model_config(model_folder, "same", "examples")
    configs += model_config(model_folder, "half", stable=1, canary=2)
    with serving(configs) as served:
        yield served


@pytest.fixture(scope="module")
def channel(served):
    with served.channel() as channel:
        yield channel


@pytest.fixture(scope="module")
def predictions(channel):
    """Give TensorFlow Serving's own stub of PredictionService."""
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    return PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_service(channel):
    """Give TensorFlow Serving's own stub of ModelService."""
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    return ModelServiceStub(channel)


@pytest.fixture(scope="module")
def tf():
    from cloudserve.local_server.runtime.tensorflow import import_tensorflow

    return import_tensorflow()


@pytest.fixture(scope="module")
def request_class():
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    return PredictRequest


@pytest.fixture(scope="module")
def ask(tf, request_class):
    """Make a request of a model's name and its inputs as arrays."""

    def make(name="half", output_filter=(), version=None, label="", signature="", **inputs):
        request = request_class(output_filter=output_filter)
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return request

    return make


def refusal(call, *arguments, **options):
    """Return the code and text of a call that fails."""
    try:
        answer = call(*arguments, timeout=PATIENCE, **options)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError(answer)
