"""TensorFlow Lite and ONNX models over REST and gRPC, as SavedModels are served."""

import asyncio
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import numpy as np
import pytest
from cloudserve.local_server.batching.loader import batched
from cloudserve.local_server.batching.parameters import BatchingParameters
from cloudserve.local_server.codecs.tensor_proto import from_tensor_proto, to_tensor_proto
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.runtime.model_files import model_loader
from cloudserve.local_server.runtime.options import FileOptions, FileRule, SessionOptions
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.status import StatusError

from cloudserve.local.servers import ServeCommand
from tests.model_files import onnx_model, tflite_bytes, write

pytest.importorskip("ai_edge_litert", reason="pip install 'cloudserve[tflite]'")
pytest.importorskip("onnxruntime", reason="pip install 'cloudserve[onnx]'")

PredictRequest = message_class("tensorflow.serving.PredictRequest")
PredictResponse = message_class("tensorflow.serving.PredictResponse")


def serve(options, ask):
    """Run a server, and return what `ask` returns for it in a thread."""

    async def main():
        server = ModelServer(options)
        await server.start()
        try:
            return await asyncio.to_thread(ask, server)
        finally:
            await server.stop()

    return asyncio.run(asyncio.wait_for(main(), 60))


def get(server, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    url = f"http://127.0.0.1:{server.port}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


def predict(server, name, **body):
    answer = get(server, f"/v1/models/{name}:predict", body)
    return json.loads(answer) if isinstance(answer, str) else answer


def predict_by_grpc(server, name, alias, values):
    request = PredictRequest()
    request.model_spec.name = name
    to_tensor_proto(np.array(values, np.float32), request.inputs[alias])
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        )
        response = call(request, timeout=20)
    outputs = {key: from_tensor_proto(response.outputs[key]) for key in response.outputs}
    return {key: array.tolist() for key, array in outputs.items()}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "lite" / "3" / "model.tflite", tflite_bytes())
    write(tmp_path / "exchange.onnx", onnx_model().SerializeToString())
    return tmp_path


def two_outputs(model):
    """Answer with x / 2, too; the tensors of both outputs have one name."""
    from ai_edge_litert import schema_py_generated as schema

    half = schema.TensorMapT()
    half.name, half.tensorIndex = "half", 3
    model.signatureDefs[0].outputs.append(half)
    model.subgraphs[0].outputs = [4, 3]
    for number in (3, 4):
        model.subgraphs[0].tensors[number].name = "out"


def test_outputs_whose_tensors_have_one_name_are_told_apart(tmp_path):
    file = write(tmp_path / "m.tflite", tflite_bytes(two_outputs))
    answer = serve(
        serve_options(file, ServeCommand(grpc_port=0)),
        lambda server: predict(server, "m", inputs=[1.0, 2.0]),
    )
    assert answer == {"outputs": {"half": [0.5, 1.0], "y": [2.5, 3.0]}}


def test_serve_answers_for_files_as_for_saved_models(folder):
    def ask(server):
        return {
            name: (
                predict(server, name, instances=[1.0, 2.0]),
                predict_by_grpc(server, name, "x", [5, 7, 9]),
                [predict(server, name, instances=[float(n)])["predictions"] for n in range(20)],
                predict(server, name, instances=["a"])[0],
                json.loads(get(server, f"/v1/models/{name}/metadata")),
            )
            for name in ("lite", "exchange")
        }, get(server, "/monitoring/prometheus/metrics")

    answers, metrics = serve(serve_options(folder, ServeCommand(grpc_port=0)), ask)
    for name, (rest, by_grpc, alone, refusal, metadata) in answers.items():
        assert rest == {"predictions": [2.5, 3.0]}
        assert by_grpc == {"y": [4.5, 5.5, 6.5]}
        assert alone == [[n / 2 + 2] for n in range(20)]
        assert refusal == 400
        signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
        assert signature["inputs"]["x"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
        assert f'runtime_latency_count{{model_name="{name}",API="Predict"' in metrics


def test_a_model_file_that_is_replaced_is_loaded_again(folder):
    file = folder / "exchange.onnx"

    options = replace(serve_options(file, ServeCommand()), poll_seconds=0.05)

    async def main():
        server = ModelServer(options)
        await server.start()
        try:
            before = await asyncio.to_thread(predict, server, "exchange", instances=[2.0])
            model = onnx_model()
            model.graph.node[1].op_type = "Sub"
            write(file, model.SerializeToString())
            after = before
            while after == before:
                after = await asyncio.to_thread(predict, server, "exchange", instances=[2.0])
            return before, after
        finally:
            await server.stop()

    before, after = asyncio.run(asyncio.wait_for(main(), 60))
    assert before == {"predictions": [3.0]}
    assert after == {"predictions": [-1.0]}


def flags(base, *more):
    return flag_options(
        parse_flags(
            [
                "--port=0",
                f"--grpc_socket_path={base.parent / 's'}",
                "--rest_api_port=0",
                f"--model_base_path={base}",
                "--file_system_poll_wait_seconds=0",
                "--max_num_load_retries=0",
                "--strict_startup",
                *more,
            ]
        )
    )


def test_model_server_prefers_the_file_by_its_flag_with_tensorflow_servings_names(folder):
    """As `testPredictOnTfLite` of tensorflow_model_server_test.py."""

    def ask(server):
        return predict_by_grpc(server, "default", "serving_default_x", [2.0])

    options = flags(folder / "lite", "--prefer_tflite_model", "--enable_batching")
    assert serve(options, ask) == {"PartitionedCall": [3.0]}


def test_model_server_without_the_flag_serves_saved_models_only(folder):
    with pytest.raises(StatusError, match="does not appear to contain a SavedModel bundle"):
        serve(flags(folder / "lite"), lambda server: None)


@pytest.mark.parametrize("name", ["lite/3", "exchange.onnx"])
def test_requests_run_in_one_batch(folder, name):
    runs = []
    files = FileOptions(FileRule.WITHOUT_SAVED_MODEL)
    load = model_loader(("serve",), SessionOptions(), files, runs.append)
    # A batch begins when it is full: the first request waits for the second.
    parameters = BatchingParameters(max_batch_size=5, batch_timeout_micros=10**8)
    model = batched(load, parameters)(folder / name)
    rows = [np.float32([1, 2]), np.float32([5, 6, 7])]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda x: model.run("serving_default", {"x": x})["y"], rows))
    assert [answer.tolist() for answer in answers] == [[2.5, 3.0], [4.5, 5.0, 5.5]]
    assert len(runs) == 1
    model.close()
