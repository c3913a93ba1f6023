"""Many small predictions over gRPC: answered on the fast path or not, counted and logged alike."""

import asyncio
import shutil

import numpy as np
import pytest
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.codecs.tfrecord import read_records
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.protocols.tfserving.grpc.prediction import PredictionService
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.transport.grpc_types import prefix

from cloudserve.local.servers import ServeCommand
from tests.local_server.transport.grpc_http2.raw_calls import raw_calls

METHOD = "/tensorflow.serving.PredictionService/Predict"
ROUNDS, CALLS = 8, 16
TOTAL = ROUNDS * CALLS
COUNTS = (
    ":tensorflow:serving:request_count",
    ":tensorflow:serving:request_latency_count",
    ":tensorflow:serving:runtime_latency_count",
    "cloudserve_requests_total",
    "cloudserve_request_seconds_count",
)
PredictRequest = message_class("tensorflow.serving.PredictRequest")
PredictResponse = message_class("tensorflow.serving.PredictResponse")


@pytest.fixture
def half(shared_models, tmp_path):
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", tmp_path / "half")
    return tmp_path / "half"


@pytest.fixture
def handled(monkeypatch):
    """Collect the calls that the handler gets."""
    calls = []
    handle = PredictionService.predict

    def predict(service, call, request):
        calls.append(request)
        return handle(service, call, request)

    monkeypatch.setattr(PredictionService, "predict", predict)
    return calls


def body(numbers):
    request = PredictRequest()
    request.model_spec.name = "half"
    to_tensor_proto(np.array(numbers, np.float32), request.inputs["x"])
    message = request.SerializeToString()
    return prefix(len(message)) + message


class Address:
    def __init__(self, server):
        self.port = server.grpc_port


async def ask(server):
    """Send rounds of calls, each round in one write; return the answers by their inputs."""
    answers = {}
    async with raw_calls(Address(server)) as client:
        for turn in range(ROUNDS):
            sent = {}
            for index in range(CALLS):
                number = client.begin(METHOD)
                sent[number] = tuple([turn, index][: 1 + index % 2])
                client.send(number, body(sent[number]), end=True)
            for number, numbers in sent.items():
                assert (await client.status(number))[0] == 0
                response = PredictResponse.FromString(client.data[number][5:])
                answers[turn, index, numbers, number] = list(response.outputs["y"].float_val)
    return answers


def count(page, name):
    """Return the sum of a metric's samples."""
    lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def serve(options):
    server = ModelServer(options)
    await server.start()
    try:
        answers = await ask(server)
        return answers, server._monitor._metrics.page().decode()
    finally:
        await server.stop()


def test_each_call_gets_its_answer_and_is_counted_and_logged(half, handled, tmp_path):
    command = ServeCommand(grpc_port=0, request_log=tmp_path / "log")
    answers, page = asyncio.run(serve(serve_options(half, command)))
    assert len(answers) == TOTAL
    for (_, _, numbers, _), outputs in answers.items():
        assert outputs == [number / 2 + 2 for number in numbers]
    # The first ones show what they cost, and that they may run together.
    assert 0 < len(handled) < TOTAL
    assert [count(page, name) for name in COUNTS] == [TOTAL] * len(COUNTS)
    records = []
    for path in (tmp_path / "log").iterdir():
        with path.open("rb") as file:
            records += read_records(file)
    assert len(records) == TOTAL
