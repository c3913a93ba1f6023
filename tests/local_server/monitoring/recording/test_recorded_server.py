"""A server that records: over REST and gRPC, on the fast path and beside it, until it is killed."""

import asyncio
import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from cloudserve.local_server.codecs.tensor_proto import to_tensor_proto
from cloudserve.local_server.messages import message_class
from cloudserve.local_server.options.flag_options import flag_options
from cloudserve.local_server.options.flags import parse_flags
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.status import StatusError
from prometheus_client.parser import text_string_to_metric_families

from cloudserve.errors import UserError
from cloudserve.golden.file import Example, Golden, Header, Refusal, read_golden
from cloudserve.golden.recording import recording
from cloudserve.golden.replay import replay
from cloudserve.golden.subject import asking
from cloudserve.local.servers import ServeCommand

METRICS = "/monitoring/prometheus/metrics"


@pytest.fixture
def half(shared_models, tmp_path):
    """A base path with one version of half_plus_two."""
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu", tmp_path / "half")
    return tmp_path / "half"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "half.golden.jsonl"


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


def post(url, document):
    """Return the answer's status."""
    try:
        with urllib.request.urlopen(url, json.dumps(document).encode(), timeout=20) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def predict_over_grpc(server, *values):
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "half"
    to_tensor_proto(np.array(values, np.float32), request.inputs["x"])
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        return call(request.SerializeToString(), timeout=20)


def test_requests_of_users_are_recorded_and_answered_alike_when_replayed(half, file):
    command = ServeCommand(grpc_port=0, recording=recording(str(file), environ={}))

    def work(server):
        url = f"{server.address}/v1/models/half"
        with ThreadPoolExecutor(8) as pool:  # turns of several requests, and batches
            list(pool.map(lambda n: post(f"{url}:predict", {"instances": [n]}), range(100)))
        predict_over_grpc(server, 1000.0, 1001.5)
        post(f"{url}/versions/123:predict", {"inputs": [2000.0]})
        assert post(f"{url}:predict", {"instances": ["text"]}) == 400
        with urllib.request.urlopen(server.address + METRICS, timeout=20) as page:
            return page.read().decode()

    page = serving(serve_options(half, command), work)
    golden = read_golden(file)
    instances = sorted(one.request["instances"] for one in golden.examples)
    assert instances == [*([float(number)] for number in range(100)), [1000.0, 1001.5], [2000.0]]
    assert {one.version for one in golden.examples} == {123}
    (count,) = [
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "cloudserve_recorded_requests_total"
        and sample.labels == {"model_name": "half", "outcome": "recorded"}
    ]
    assert count <= len(golden.examples)  # the last ones may still have been queued

    def again(server):
        return [
            replay(golden, ask)
            for subject in (
                f"{server.address}/v1/models/half",
                f"grpc://127.0.0.1:{server.grpc_port}/half",
            )
            for ask in opened(asking(subject))
        ]

    results = serving(serve_options(half, ServeCommand(grpc_port=0)), again)
    assert [(one.requests, one.differing, one.ulp) for one in results] == [(102, 0, 0)] * 2


def opened(context):
    with context as value:
        yield value


def test_over_grpc_columns_and_refusals_are_answered_as_over_rest(half):
    golden = Golden(
        Header(),
        (
            Example({"inputs": [1.0, 3.0]}, {"outputs": [2.5, 3.5]}),
            Example({"inputs": {"x": [1.0]}}, {"outputs": [2.5]}),
            Example({"instances": ["text"]}, error=Refusal(400)),
            Example({"instances": [1.0]}, {"predictions": [7.0]}),
        ),
    )

    def work(server):
        with asking(f"grpc://127.0.0.1:{server.grpc_port}/half") as ask:
            return replay(golden, ask)

    result = serving(serve_options(half, ServeCommand(grpc_port=0)), work)
    assert result.findings[0].endswith("request 4, predictions[0]: 2.5 instead of 7.0")
    assert (result.differing, len(result.findings)) == (1, 1)


def test_the_flags_of_model_server_record_too(half, file):
    flags = (
        f"--model_base_path={half}",
        "--model_name=half",
        "--port=18477",
        "--rest_api_port=0",
        f"--record={file}",
        "--record_most=2",
        "--record_redact=round:y:1,drop:none",
    )
    options = flag_options(parse_flags(flags))
    assert (options.recording.path, options.recording.most) == (file, 2)
    assert [str(rule) for rule in options.recording.rules] == ["round:y:1", "drop:none"]


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--record_rate=2", "must be between 0 and 1; was 2"),
        ("--record_most=0", "must be at least 1; was 0"),
        ("--record_redact=forget:x", "`forget:x` is not a rule of redaction"),
    ],
)
def test_flags_that_make_no_sense_are_refused(half, file, flag, text):
    flags = (f"--model_base_path={half}", f"--record={file}", flag)
    with pytest.raises((StatusError, UserError), match=text):
        flag_options(parse_flags(flags))


def test_nothing_is_recorded_unless_asked(half):
    assert serve_options(half, ServeCommand()).recording is None
    assert flag_options(parse_flags((f"--model_base_path={half}",))).recording is None


def test_one_file_is_not_for_several_models(half, file, tmp_path):
    shutil.copytree(half, tmp_path / "other")
    command = ServeCommand(recording=recording(str(file), environ={}))
    with pytest.raises(UserError, match="and there are 2") as caught:
        serve_options(tmp_path, command)
    assert f"--record {file}/" in caught.value.hint
    folder = ServeCommand(recording=recording(f"{file}/", environ={}))
    assert serve_options(tmp_path, folder).recording.is_folder


def test_a_server_that_is_killed_under_load_leaves_whole_examples(half, file):
    command = ["serve", str(half), "--port", "0", "--no-grpc", "--record", str(file)]
    with subprocess.Popen(
        [sys.executable, "-m", "cloudserve", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        url = next(line.split()[-1] for line in process.stderr if line.startswith("serving "))
        killer = threading.Thread(target=process.send_signal, args=[signal.SIGKILL])
        for number in itertools.count():
            try:
                post(f"{url}/v1/models/half:predict", {"instances": [float(number)] * 1000})
            except OSError:
                break
            if killer.ident is None and file.exists() and file.stat().st_size > 100_000:
                killer.start()
        killer.join()
        assert process.wait(20) == -signal.SIGKILL
    numbers = [one.request["instances"][0] for one in read_golden(file).examples]
    assert numbers == [*map(float, range(len(numbers)))]
    assert 5 < len(numbers) <= number + 1
