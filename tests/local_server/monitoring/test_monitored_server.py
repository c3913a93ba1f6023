"""The metrics and logs of a whole server: its requests and its loads."""

import asyncio
import itertools
import json
import shutil
import signal
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import grpc
import pytest
from cloudserve.local_server.codecs.tfrecord import RecordError, frame, read_records
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.options.server_options import Address, BatchingOptions, GrpcOptions
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.status import StatusError
from cloudserve.local_server.warmup import WARMUP_FILE
from prometheus_client.parser import text_string_to_metric_families

from cloudserve.local.servers import ServeCommand

PATH = "/monitoring/prometheus/metrics"


@pytest.fixture
def half(shared_models, tmp_path):
    """A base path with one version of half_plus_two that may be written to."""
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu", tmp_path / "half")
    return tmp_path / "half"


def serving(options, work):
    """Run `work` in a thread while a server serves; it is given the server."""

    async def main():
        server = ModelServer(options)
        await server.start()
        try:
            return await asyncio.to_thread(work, server)
        finally:
            await server.stop()

    return asyncio.run(main())


def ask(server, target, document=None):
    """Return status and body; a document is posted."""
    body = None if document is None else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(server.address + target, body, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def scrape(server, path=PATH):
    """Return the samples that Prometheus reads, by name and label values."""
    status, page = ask(server, path)
    assert status == 200
    return {
        (
            family.name if family.type == "counter" else sample.name,
            *sample.labels.values(),
        ): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def predict_log():
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    tensor = log.predict_log.request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(2)
    return log


def test_requests_over_rest_and_grpc_are_counted(half):
    def work(server):
        assert ask(server, "/v1/models/half:predict", {"instances": [1.0, 2.0]})[0] == 200
        assert ask(server, "/v1/models/half/versions/9:predict", {"instances": [1.0]})[0] == 404
        assert ask(server, "/v1/models/half:predict", {"instances": ["x"]})[0] == 400
        assert ask(server, "/v1/models/half/metadata")[0] == 200
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        with grpc.insecure_channel(server.grpc_address) as channel:
            request = predict_log().predict_log.request
            request.model_spec.name = "half"
            PredictionServiceStub(channel).Predict(request, timeout=20)
        return scrape(server)

    samples = serving(serve_options(half, ServeCommand(grpc_port=0, batching=False)), work)
    serving_ = ":tensorflow:serving:"
    assert samples[f"{serving_}request_count", "half", "OK"] == 3
    assert samples[f"{serving_}request_count", "half", "NOT_FOUND"] == 1
    assert samples[f"{serving_}request_count", "half", "INVALID_ARGUMENT"] == 1
    latency = f"{serving_}request_latency_count"
    assert samples[latency, "half", "predict", "REST"] == 1
    assert samples[latency, "half", "", "REST"] == 1
    assert samples[latency, "half", "Predict", "GRPC"] == 1
    assert samples[f"{serving_}runtime_latency_count", "half", "Predict", "TF1"] == 2
    requests = "cloudserve_requests", "half", "123"
    assert samples[*requests, "serving_default", "Predict", "OK"] == 2
    assert samples["cloudserve_model_state", "half", "123", "AVAILABLE"] == 1
    assert samples["cloudserve_requests_in_flight", "half", "123"] == 0
    path = str(half / "123")
    assert samples[":tensorflow:cc:saved_model:load_attempt_count", path, "success"] == 1
    assert samples[(":tensorflow:core:graph_runs",)] == 2
    assert samples[(":tensorflow:core:graph_run_time_usecs",)] > 0


def test_batches_are_counted_and_the_queue_is_watched(half):
    def work(server):
        ask(server, "/v1/models/half:predict", {"instances": [1.0, 2.0]})
        return scrape(server)

    samples = serving(
        replace(serve_options(half, ServeCommand()), batching=BatchingOptions()), work
    )
    batching = ":tensorflow:serving:batching_session:"
    assert samples[f"{batching}wrapped_run_count",] == 1
    assert samples[f"{batching}processed_batch_size_sum",] == 2
    assert samples[f"{batching}queuing_latency_count", "model_server_batch_threads"] == 1
    assert samples["cloudserve_batch_queue_depth", "half", "123"] == 0


def test_a_version_is_warmed_up_and_that_is_reported(half):
    file = half / "123" / WARMUP_FILE
    file.parent.mkdir()
    file.write_bytes(frame(predict_log().SerializeToString()) * 3)
    samples = serving(serve_options(half, ServeCommand()), scrape)
    version = str(half / "123")
    assert samples[":tensorflow:serving:model_warmup_records_read", version, "OK"] == 3
    assert samples[":tensorflow:serving:model_warmup_latency_count", version, "OK"] == 1
    # Nobody has asked for anything yet.
    assert not any(name == "cloudserve_requests" for name, *_ in samples)


def flags(half, *more):
    line = [f"--model_base_path={half}", "--model_name=half", "--rest_api_port=1", *more]
    options = flag_options(parse_flags(line))
    rest = replace(options.rest, address=Address("127.0.0.1", 0))
    return replace(options, rest=rest, grpc=GrpcOptions(Address("127.0.0.1", 0)))


def test_without_the_flag_there_is_no_such_path(half):
    status, body = serving(flags(half), lambda server: ask(server, PATH))
    assert status == 404
    assert b"<H1>Not Found</H1>" in body


def test_the_file_says_where_metrics_are(half, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true, path: "/m" }')
    options = flags(half, f"--monitoring_config_file={file}")
    assert serving(options, lambda server: ask(server, "/m?x=1")) == (
        400,
        b"Unexpected path: /m?x=1. Should be /m",
    )
    assert serving(options, lambda server: scrape(server, "/m"))


def test_a_file_that_is_not_a_configuration_ends_the_start(half, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus { enable: true }")
    with pytest.raises(StatusError, match="Invalid protobuf file"):
        ModelServer(flags(half, f"--monitoring_config_file={file}"))


@pytest.mark.parametrize(
    ("more", "runs"),
    [
        ((), 1),
        (("--num_request_iterations_for_warmup=4",), 4),
        (("--num_request_iterations_for_warmup=-4",), 1),
        (("--enable_model_warmup=false", "--num_request_iterations_for_warmup=4"), 0),
    ],
)
def test_the_flags_of_warm_up_say_how_often_a_record_runs(half, more, runs):
    assert flags(half, *more).warmup_iterations == runs


def test_a_version_whose_records_are_broken_is_not_served(half):
    file = half / "123" / WARMUP_FILE
    file.parent.mkdir()
    file.write_bytes(b"no TFRecord file at all")
    with pytest.raises(StatusError) as caught:
        serving(flags(half, "--max_num_load_retries=0"), ask)
    assert "DATA_LOSS: corrupted record at 0 (Is this even a TFRecord file?)" in str(caught.value)


def logged(folder):
    """Return the records of a folder's files."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            yield from map(PredictionLog.FromString, read_records(file))


def test_requests_over_rest_are_logged_by_the_flags_and_counted(half, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enable: true }")
    logs = tmp_path / "logs"
    lines = [f"--request_log_dir={logs}", f"--monitoring_config_file={file}"]

    def work(server):
        for x in range(3):
            assert ask(server, "/v1/models/half:predict", {"instances": [x]})[0] == 200
        assert ask(server, "/v1/models/half:predict", {"instances": ["x"]})[0] == 400

    serving(flags(half, *lines), work)
    records = [record.predict_log for record in logged(logs)]
    assert [record.request.model_spec.name for record in records] == ["half"] * 3
    assert [len(record.response.outputs["y"].tensor_content) for record in records] == [4] * 3
    options = flags(half, *lines, "--request_log_sampling_rate=0")
    assert not any(name[0].endswith("log_count") for name in serving(options, scrape))
    assert len(list(logged(logs))) == 3


def test_a_friendly_server_logs_where_it_is_configured(half, tmp_path):
    options = serve_options(half, ServeCommand(request_log=tmp_path / "logs"))
    document = {"instances": [1.0]}
    serving(options, lambda server: ask(server, "/v1/models/half:predict", document))
    assert len(list(logged(tmp_path / "logs"))) == 1
    assert (
        serve_options(half, ServeCommand(request_log_rate=0.25)).request_log.sampling_rate == 0.25
    )


def test_a_model_is_logged_as_the_configuration_file_says(half, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(
        f"""model_config_list {{ config {{
          name: "half" base_path: "{half}" model_platform: "tensorflow"
          logging_config {{
            log_collector_config {{ type: "file" filename_prefix: "{tmp_path}/logs/half" }}
            sampling_config {{ sampling_rate: 1 }}
          }}
        }} }}"""
    )
    options = replace(flags(half), config_file=file)
    document = {"signature_name": "regress_x_to_y2", "examples": [{"x": 4.0}]}
    serving(options, lambda server: ask(server, "/v1/models/half:regress", document))
    (record,) = logged(tmp_path / "logs")
    assert record.regress_log.response.result.regressions[0].value == 5


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--request_log_sampling_rate=1.5", "must be between 0 and 1; was 1.5"),
        ("--request_log_sampling_rate=nan", "must be between 0 and 1; was nan"),
        ("--request_log_max_bytes=1000", "must be at least 1048576; was 1000"),
    ],
)
def test_flags_of_the_log_that_make_no_sense_are_refused(half, flag, text):
    with pytest.raises(StatusError, match=text):
        flags(half, flag)


def test_a_server_that_is_killed_under_load_leaves_whole_records(half, tmp_path):
    logs = tmp_path / "logs"
    command = ["serve", str(half), "--port", "0", "--no-grpc", "--request-log", str(logs)]
    with subprocess.Popen(
        [sys.executable, "-m", "cloudserve", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        url = next(line.split()[-1] for line in process.stderr if line.startswith("serving "))
        target = f"{url}/v1/models/half:predict"
        killer = threading.Thread(target=process.send_signal, args=[signal.SIGKILL])
        for number in itertools.count():
            body = json.dumps({"instances": [float(number)] * 1000}).encode()
            try:
                with urllib.request.urlopen(target, body, timeout=20) as answer:
                    answer.read()
            except OSError:
                break
            if killer.ident is None and sum(f.stat().st_size for f in logs.glob("*")) > 100_000:
                killer.start()
        killer.join()
        assert process.wait(20) == -signal.SIGKILL
    (file,) = logs.iterdir()
    numbers = [_first_number(record) for record in _whole_records(file)]
    assert numbers == [*range(len(numbers))]
    assert 10 < len(numbers) <= number + 1


def _whole_records(file):
    with file.open("rb") as opened:
        try:
            yield from read_records(opened)
        except RecordError as error:
            assert "truncated" in str(error)


def _first_number(record):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    tensor = PredictionLog.FromString(record).predict_log.request.inputs["x"]
    assert len(tensor.tensor_content) == 4000
    return struct.unpack_from("<f", tensor.tensor_content)[0]
