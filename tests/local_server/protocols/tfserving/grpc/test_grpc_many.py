"""Many calls at once, calls given up, and large messages."""

import asyncio

import grpc
import numpy as np
import pytest
from cloudserve.local_server.batching import BatchingParameters, batched
from cloudserve.local_server.models import State
from cloudserve.local_server.status import StatusError
from cloudserve.local_server.transport.grpc.call import answer
from cloudserve.local_server.transport.grpc_types import Call

from .conftest import PATIENCE, load, model_config, refusal, serving

CALLS = 64
METHOD = "/tensorflow.serving.PredictionService/Predict"
ONE = np.float32([1])


@pytest.fixture
def ask(channel):
    from cloudserve.local_server.runtime.tensorflow import import_tensorflow
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    tf = import_tensorflow()

    def make(name, signature="", **inputs):
        request = PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return request

    return make


def test_calls_that_fail_leave_the_others_to_their_own_answers(predictions, ask):
    kinds = [
        lambda n: ask("half", x=np.float32([n])),
        lambda n: ask("half", "broken", x=np.float32([n])),
        lambda n: ask(f"none{n}", x=np.float32([n])),
        lambda n: ask("half", **{f"k{n}": np.float32([n])}),
    ]
    calls = [predictions.Predict.future(kinds[n % 4](n), timeout=PATIENCE) for n in range(CALLS)]
    for n, call in enumerate(calls):
        if n % 4 == 0:
            assert list(call.result().outputs["y"].float_val) == [n / 2 + 2]
        else:
            failure = call.exception()
            code, text = [
                (grpc.StatusCode.RESOURCE_EXHAUSTED, "no room"),
                (grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest(none{n})"),
                (grpc.StatusCode.INVALID_ARGUMENT, f"in the request {{k{n}}}"),
            ][n % 4 - 1]
            assert failure.code() is code
            assert text in failure.details()


def test_calls_that_wait_in_a_batch_hold_no_thread(model_folder, ask):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    # The batch runs when it is full: were a call to hold the one thread, none ever would.
    full = BatchingParameters(max_batch_size=CALLS, batch_timeout_micros=600_000_000)
    configs = model_config(model_folder, "same")
    server = serving(configs, loader=batched(load, full), threads=1)
    with server as served, served.channel() as channel:
        stub = PredictionServiceStub(channel)
        calls = [
            stub.Predict.future(ask("same", i=np.float32([n])), timeout=PATIENCE)
            for n in range(CALLS)
        ]
        answers = [list(call.result().outputs["o"].float_val) for call in calls]
    assert answers == [[n] for n in range(CALLS)]


def test_a_call_that_is_abandoned_holds_its_version_until_the_model_is_done(model_folder, ask):
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    with serving(model_config(model_folder, "half")) as served, served.channel() as channel:
        model = served.model("half", 2)
        call = PredictionServiceStub(channel).Predict.future(ask("half", "slow", x=ONE))
        assert model.entered.acquire(timeout=PATIENCE)
        call.cancel()
        unloading = served.begin(served.manager.unload("half", 2))
        served.do(asyncio.sleep(0))  # lets the unload take its first step
        assert served.manager.states("half")[0].state is State.UNLOADING
        assert not unloading.done()
        model.go_on.set()
        unloading.result(PATIENCE)


def test_a_call_whose_deadline_passes_before_a_thread_is_free_is_never_run(model_folder, ask):
    with serving(model_config(model_folder, "half"), threads=1) as served:
        model = served.model("half", 2)
        method = served.app.services()[0].methods["Predict"]
        body = ask("half", "slow", x=ONE).SerializeToString()
        running = served.begin(answer(method, Call(METHOD), body))
        assert model.entered.acquire(timeout=PATIENCE)
        with pytest.raises(StatusError, match="Timed out waiting for notification"):
            served.do(answer(method, Call(METHOD, (), 0.05), body))
        model.go_on.set()
        running.result(PATIENCE)
        quick = ask("half", x=ONE).SerializeToString()
        served.do(answer(method, Call(METHOD), quick))  # the one thread has been through its queue
        assert not model.entered.acquire(blocking=False)


def test_a_large_tensor_goes_there_and_back(predictions, ask):
    array = np.arange(2_000_000, dtype=np.float32)
    answer = predictions.Predict(ask("same", i=array)).outputs["o"]
    assert answer.tensor_shape.dim[0].size == len(array)
    assert np.array_equal(np.array(answer.float_val, np.float32), array)


def test_a_tensor_larger_than_a_message_is_refused_before_its_allocation(predictions, ask):
    request = ask("same", i=np.float32([1]))
    request.inputs["i"].tensor_shape.dim[0].size = 2**31
    assert refusal(predictions.Predict, request) == ("INVALID_ARGUMENT", "tensor parsing error: i")
